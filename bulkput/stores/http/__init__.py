"""Plain HTTP PUT and WebDAV: nginx, Apache, Artifactory, Nexus - whatever stores a body under its URL."""
