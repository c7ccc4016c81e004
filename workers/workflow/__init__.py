"""The workflow pool: runs instances of workflow definitions step by step."""
