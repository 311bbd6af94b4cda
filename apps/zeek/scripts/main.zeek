##! Start and end.

@load base/frameworks/supervisor
@load ./messages
@load ./options
@load ./peering
@load ./sightings
@load ./subscription
@load ./websocket

module Tenzir;

# Late, so that the cluster's backend is there.
event zeek_init() &priority=-100
	{
	# ZeekControl only checks the configuration. A supervisor runs the scripts of
	# the nodes that it starts, and is none of them.
	if ( getenv("ZEEKCTL_CHECK_CONFIG") != "" || Supervisor::is_supervisor() )
		return;

	receive(management_topic);

	if ( use_websocket() )
		start_websocket();
	else
		start_peering();
	}

event zeek_done()
	{
	report_rest();
	end_subscription();
	}
