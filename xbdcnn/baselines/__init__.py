"""The methods that X-BDCNN is compared with: other networks and classical methods."""
