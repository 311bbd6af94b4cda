##! Loads the package from a checkout or a copy of this folder. zkg installs the
##! folder "scripts" by itself.

@load ./scripts
