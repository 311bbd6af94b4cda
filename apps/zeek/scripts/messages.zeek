##! Sending and receiving.

@load base/frameworks/cluster
@load ./options

module Tenzir;

# Cluster::publish works with every cluster backend, and reaches WebSocket clients
# as well as Broker peers. Before Zeek 7.1 there was Broker only.
@ifdef ( Cluster::publish )
function receive(topic: string)
	{
	Cluster::subscribe(topic);
	}

function receive_no_more(topic: string)
	{
	Cluster::unsubscribe(topic);
	}

function send_subscribe(topic: string, snapshot: interval)
	{
	Cluster::publish(management_topic, Tenzir::subscribe, topic, snapshot);
	}

function send_unsubscribe(topic: string)
	{
	Cluster::publish(management_topic, Tenzir::unsubscribe, topic);
	}

function send_sighting(id: string, context: table[string] of any)
	{
	Cluster::publish(sighting_topic, Tenzir::sighting, current_time(), id,
	    context);
	}
@else
function receive(topic: string)
	{
	Broker::subscribe(topic);
	}

function receive_no_more(topic: string)
	{
	Broker::unsubscribe(topic);
	}

function send_subscribe(topic: string, snapshot: interval)
	{
	Broker::publish(management_topic, Tenzir::subscribe, topic, snapshot);
	}

function send_unsubscribe(topic: string)
	{
	Broker::publish(management_topic, Tenzir::unsubscribe, topic);
	}

function send_sighting(id: string, context: table[string] of any)
	{
	Broker::publish(sighting_topic, Tenzir::sighting, current_time(), id, context);
	}
@endif
