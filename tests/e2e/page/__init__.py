"""One browser and one platform for all of these: a package, so that both end before the asynchronous tests of others begin."""
