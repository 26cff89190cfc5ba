"""The app: a page on this machine to try words and levels, and to review and correct labels."""
