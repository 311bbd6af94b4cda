##! Options, and the events that travel between Zeek and Threat Bus.

module Tenzir;

export {
	## One indicator, as Threat Bus sends it. The order of the fields is part of
	## the protocol.
	type Intelligence: record {
		## When the indicator was made.
		ts: time;
		## Its STIX identifier.
		id: string;
		## The name of an :zeek:type:`Intel::Type`, without the module's name.
		intel_type: string;
		## The value to look for.
		indicator: string;
		## ADD or REMOVE.
		operation: string;
	};

	## Address or name of the host where Threat Bus listens for Broker peers.
	const broker_host = "127.0.0.1" &redef;

	## The port where Threat Bus listens for Broker peers.
	const broker_port = 47761/tcp &redef;

	## The port where this Zeek serves WebSocket for Threat Bus. With 0 there is
	## none, and Zeek peers with Threat Bus over Broker instead.
	## Needs Zeek 8.0 or later.
	const websocket_port = 0/tcp &redef;

	## The address where this Zeek serves WebSocket.
	const websocket_address = 127.0.0.1 &redef;

	## Certificate of the WebSocket server, a PEM file. TLS is off without one.
	const websocket_cert = "" &redef;

	## The private key that belongs to the certificate, a PEM file.
	const websocket_key = "" &redef;

	## Whether matches are reported back.
	option report_sightings = T &redef;

	## An indicator that matches more often than this within one second is noisy:
	## from then on its matches are reported as one number per second.
	## With 0 every match is reported by itself.
	option noisy_intel_threshold = 100 &redef;

	## Whether connections, indicators and sightings are written to reporter.log.
	option log_operations = T &redef;

	## What to subscribe to at Threat Bus.
	option intel_topic = "stix2/indicator" &redef;

	## Where sightings are published.
	option sighting_topic = "stix2/sighting" &redef;

	## Where subscriptions are made and ended.
	option management_topic = "threatbus/manage" &redef;

	## How far back to ask for indicators that were published before this Zeek
	## subscribed. With 0 only new ones arrive.
	option snapshot_intel = 0sec &redef;

	## The topic that Threat Bus made for this Zeek; empty without subscription.
	global p2p_topic = "";

	# The five events of the protocol. They come from or go to Threat Bus, so no
	# script raises the first two.

	## Sent by Threat Bus for every indicator.
	global intel: event(item: Intelligence) &is_used;

	## Sent by Threat Bus when a subscription is made.
	##
	## topic: where this Zeek's indicators will come.
	global subscription_acknowledged: event(topic: string) &is_used;

	## Sent to Threat Bus to subscribe.
	global subscribe: event(topic: string, snapshot: interval) &is_used;

	## Sent to Threat Bus to end a subscription.
	global unsubscribe: event(topic: string) &is_used;

	## Sent to Threat Bus for a match.
	##
	## ts: when Zeek reported it.
	##
	## intel_id: the STIX identifier of the indicator.
	##
	## context: "noisy" says whether this stands for more than one match, and
	##          then "count" says for how many.
	global sighting: event(ts: time, intel_id: string, context: table[string] of
	    any) &is_used;
}
