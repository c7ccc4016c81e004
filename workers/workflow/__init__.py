"""The workflow pool: carries instances of workflow definitions from step to step."""
