"""The program `cxr`: one file for each group of commands; `program` puts them together."""
