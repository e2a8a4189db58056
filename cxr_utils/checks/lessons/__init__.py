"""The exercises of the course, a file a lesson."""
