"""The demo page: trained networks that run in the browser, as a folder of static files."""
