"""Published experiments, each run again by one command: `recsys-train reproduce NAME`."""
