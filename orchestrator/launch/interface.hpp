// Which network of this machine is used: the ranks' and that of gangs across nodes.
#pragma once

#include <string>

namespace leadsweep {

/// Environment variable that stands for `run --interface`.
inline constexpr const char* kInterfaceVariable = "LEADSWEEP_INTERFACE";

struct NetworkInterface {
    std::string name;     ///< "eth0"
    std::string address;  ///< IPv4
};

/// The interface of this machine that is meant by a name (ib0), an IPv4 address, or a network (10.0.0.0/24): one text
/// for all nodes. Throws InputError, telling what is there.
NetworkInterface find_interface(const std::string& wanted);

/// Makes Open MPI use it: its settings go into the environment of this process, those that are there already stay. For
/// the process that starts mpirun, and for ranks before MPI is initialised.
void choose_interface_for_mpi(const std::string& wanted);

}  // namespace leadsweep
