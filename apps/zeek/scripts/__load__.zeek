##! Connects Zeek to Threat Bus. Indicators that Threat Bus sends are put into
##! the intelligence framework; what matches them is reported back as sightings.

@load base/frameworks/cluster

# From Zeek 8.1 on, a standalone Zeek reaches nobody until a script chooses a
# backend. Broker serves peers and WebSocket clients alike.
@ifdef ( Cluster::CLUSTER_BACKEND_NONE )
@ifdef ( Cluster::CLUSTER_BACKEND_BROKER )
@if ( ! Cluster::is_enabled() && Cluster::backend == Cluster::CLUSTER_BACKEND_NONE && find_in_zeekpath("policy/frameworks/cluster/backend/broker") != "" )
@load policy/frameworks/cluster/backend/broker
@endif
@endif
@endif

# Every node looks for indicators, and knows the options.
@load policy/frameworks/intel/seen
@load ./options

# In a cluster only the manager talks to Threat Bus: the intelligence framework
# brings the indicators to the workers and their matches to the manager.
@if ( ! Cluster::is_enabled() || Cluster::local_node_type() == Cluster::MANAGER )
@load ./main
@endif
