"""The reader's pages. GET and HEAD never write: mail scanners follow every link, twice, and some run JavaScript."""
