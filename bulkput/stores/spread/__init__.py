"""Objects spread over several containers of one account, and the rate that each container gets."""
