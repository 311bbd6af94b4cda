##! Connects Zeek to Threat Bus. Indicators that Threat Bus sends are put into
##! the intelligence framework; what matches them is reported back as sightings.

@load base/frameworks/cluster

# Every node looks for indicators, and knows the options.
@load policy/frameworks/intel/seen
@load ./options

# In a cluster only the manager talks to Threat Bus: the intelligence framework
# brings the indicators to the workers and their matches to the manager.
@if ( ! Cluster::is_enabled() || Cluster::local_node_type() == Cluster::MANAGER )
@load ./main
@endif
