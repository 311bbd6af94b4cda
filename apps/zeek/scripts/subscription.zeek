##! The one subscription of this Zeek at Threat Bus.

@load ./log
@load ./messages
@load ./options

module Tenzir;

# The topic of a subscription that Threat Bus has not acknowledged yet.
global awaited_topic = "";

# Whether Threat Bus comes to Zeek, and not Zeek to Threat Bus.
function use_websocket(): bool
	{
	return port_to_count(websocket_port) != 0;
	}

# Ends the subscription, if there is one.
function end_subscription()
	{
	if ( p2p_topic == "" )
		return;

	send_unsubscribe(p2p_topic);
	receive_no_more(p2p_topic);
	note(fmt("unsubscribed from %s", p2p_topic));
	p2p_topic = "";
	}

# Subscribes anew. The old subscription may still be alive on the other side, so
# it is ended first: nothing arrives twice.
function renew_subscription()
	{
	end_subscription();
	awaited_topic = intel_topic;
	send_subscribe(intel_topic, snapshot_intel);
	}

event Tenzir::subscription_acknowledged(topic: string)
	{
	# A topic that is too short would subscribe to what others are sent, too.
	if ( awaited_topic == ""
	    || ! starts_with(topic, awaited_topic)
	    || topic == awaited_topic )
		{
		note(fmt("an acknowledgement was not expected: %s", topic));
		return;
		}

	awaited_topic = "";
	p2p_topic = topic;
	receive(topic);
	note(fmt("subscribed to %s", topic));
	}
