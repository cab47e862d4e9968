"""S3: Amazon's, and the stores that speak as it does."""
