"""What the commands of the command line do, a module for each kind; they know no system by name."""
