"""One script for each entry of REVISIONS, named by date and change."""
