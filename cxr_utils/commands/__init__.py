"""Commands of `cxr` that have a module of their own."""
