# Read by the job's shell before the sweep starts: modules, paths and variables of this site.
# module load openmpi cuda
# export LEADSWEEP_INTERFACE=ib0      # the network of the ranks and of gangs across nodes: a name, an address or a network
