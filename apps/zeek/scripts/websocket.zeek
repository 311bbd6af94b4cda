##! The connection over WebSocket: Threat Bus dials, Zeek listens.

@load base/frameworks/cluster
@load base/misc/version
@load ./log
@load ./options
@load ./subscription

module Tenzir;

# The record of server options has its present form since Zeek 8.0.
@if ( Version::at_least("8.0.0") )
# Since Zeek 8.1 there may be no backend at all, and then nothing is delivered.
@ifdef ( Cluster::CLUSTER_BACKEND_NONE )
function can_publish(): bool
	{
	return Cluster::backend != Cluster::CLUSTER_BACKEND_NONE;
	}
@else
function can_publish(): bool
	{
	return T;
	}
@endif

function start_websocket()
	{
	if ( ! can_publish() )
		{
		complain("cannot serve WebSocket without a cluster backend");
		return;
		}

	# A client cannot see when Zeek has subscribed to the topic that it was given.
	# All such topics start with this one, so nothing is lost meanwhile.
	receive(intel_topic);

	local server = Cluster::WebSocketServerOptions($listen_addr=websocket_address,
	    $listen_port=websocket_port);

	if ( websocket_cert != "" )
		server$tls_options = Cluster::WebSocketTLSOptions($cert_file=websocket_cert,
		    $key_file=websocket_key);

	if ( Cluster::listen_websocket(server) )
		note(fmt("serving WebSocket at %s:%s", websocket_address, websocket_port));
	else
		complain(fmt("cannot serve WebSocket at %s:%s", websocket_address,
		    websocket_port));
	}

event Cluster::websocket_client_added(endpoint: Cluster::EndpointInfo,
    subscriptions: string_vec)
	{
	if ( ! use_websocket() )
		return;

	# Threat Bus is the client that wants to hear of subscriptions.
	for ( i in subscriptions )
		{
		if ( subscriptions[i] == management_topic )
			{
			note(fmt("WebSocket client %s connected", endpoint$id));
			renew_subscription();
			return;
			}
		}
	}
@else
function start_websocket()
	{
	complain("WebSocket needs Zeek 8.0 or later");
	}
@endif
