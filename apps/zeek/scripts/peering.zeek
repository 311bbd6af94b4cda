##! The connection over Broker: Zeek dials, Threat Bus listens.

@load base/frameworks/cluster
@load ./log
@load ./options
@load ./subscription

module Tenzir;

@ifdef ( Broker::peer )
# Before Zeek 7.1 there was no other backend.
@ifdef ( Cluster::CLUSTER_BACKEND_BROKER )
function broker_is_loaded(): bool
	{
	return Cluster::backend == Cluster::CLUSTER_BACKEND_BROKER;
	}
@else
function broker_is_loaded(): bool
	{
	return T;
	}
@endif

# Whether this peer is Threat Bus, and not a node of the cluster. Broker names a
# peer that was dialled as it was dialled.
function is_threat_bus(endpoint: Broker::EndpointInfo): bool
	{
	if ( use_websocket() || ! endpoint?$network )
		return F;

	local network = endpoint$network;

	if ( network$bound_port != broker_port )
		return F;

	if ( is_valid_ip(broker_host) && is_valid_ip(network$address) )
		return to_addr(network$address) == to_addr(broker_host);

	return network$address == broker_host || ! is_valid_ip(broker_host);
	}

function start_peering()
	{
	if ( ! broker_is_loaded() )
		{
		complain("cannot peer, the cluster backend is not Broker");
		return;
		}

	note(fmt("peering with %s:%s", broker_host, broker_port));
	Broker::peer(broker_host, broker_port, 5sec);
	}

event Broker::peer_added(endpoint: Broker::EndpointInfo, msg: string)
	{
	if ( ! is_threat_bus(endpoint) )
		return;

	note("peering established");
	renew_subscription();
	}

event Broker::peer_lost(endpoint: Broker::EndpointInfo, msg: string)
	{
	# Broker connects again by itself.
	if ( is_threat_bus(endpoint) )
		note("peering lost");
	}
@else
function start_peering()
	{
	complain("this Zeek was built without Broker. Set Tenzir::websocket_port");
	}
@endif
