"""What the tasks on people's own sequences share: a run from files to scores. Each of them is a package beside this."""
