##! Connects Zeek to Threat Bus. Indicators that Threat Bus sends are put into
##! the intelligence framework; what matches them is reported back as sightings.

@load base/frameworks/cluster
@load base/frameworks/intel
@load base/frameworks/reporter
@load base/frameworks/supervisor
@load base/misc/version

# Every node looks for indicators.
@load policy/frameworks/intel/seen

# From Zeek 8.1 on, a standalone Zeek reaches nobody until a script chooses a
# backend. Broker serves peers and WebSocket clients alike.
@ifdef ( Cluster::CLUSTER_BACKEND_NONE )
@ifdef ( Cluster::CLUSTER_BACKEND_BROKER )
@if ( ! Cluster::is_enabled() && Cluster::backend == Cluster::CLUSTER_BACKEND_NONE && find_in_zeekpath("policy/frameworks/cluster/backend/broker") != "" )
@load policy/frameworks/cluster/backend/broker
@endif
@endif
@endif

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

# In a cluster only the manager talks to Threat Bus: the intelligence framework
# brings the indicators to the workers and their matches to the manager.
@if ( ! Cluster::is_enabled() || Cluster::local_node_type() == Cluster::MANAGER )
# ==== What is written to reporter.log

# What was complained about lately, lest bad input fills the log.
global complaints: set[string] &create_expire=10min;

function note(message: string)
	{
	if ( log_operations )
		Reporter::info(fmt("Threat Bus: %s", message));
	}

# A warning and no error: errors during zeek_init end Zeek.
function complain(message: string)
	{
	if ( message in complaints || |complaints| >= 100 )
		return;

	add complaints[message];
	Reporter::warning(fmt("Threat Bus: %s", message));
	}

# ==== Sending and receiving

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

# ==== The one subscription of this Zeek at Threat Bus

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

# ==== Indicators from Threat Bus, on their way into the intelligence framework

# An enum cannot travel from Threat Bus to a script: its name does.
const intel_types: table[string] of Intel::Type = {
	["ADDR"] = Intel::ADDR,
	["SUBNET"] = Intel::SUBNET,
	["URL"] = Intel::URL,
	["SOFTWARE"] = Intel::SOFTWARE,
	["EMAIL"] = Intel::EMAIL,
	["DOMAIN"] = Intel::DOMAIN,
	["USER_NAME"] = Intel::USER_NAME,
	["CERT_HASH"] = Intel::CERT_HASH,
	["PUBKEY_HASH"] = Intel::PUBKEY_HASH,
	["FILE_HASH"] = Intel::FILE_HASH,
	["FILE_NAME"] = Intel::FILE_NAME,
};

# Indicators whose removal the intelligence framework has not finished.
global leaving: set[Intel::Type, string];

global removal_finished: event(kind: Intel::Type, value: string);

# The one spelling of a value under which the intelligence framework keeps it, or
# an empty string. Zeek would take what is not an address for "::", and what is
# not a subnet for "::/0", which matches everything.
function canonical(kind: Intel::Type, value: string): string
	{
	if ( kind == Intel::ADDR )
		return is_valid_ip(value) ? cat(to_addr(value)) : "";

	if ( kind != Intel::SUBNET )
		return to_lower(value);

	local parts = split_string(value, /\//);

	if ( |parts| != 2
	    || ! is_valid_ip(parts[0])
	    || ! ( /[0-9]{1,3}/ == parts[1] ) )
		return "";

	local width = is_v4_addr(to_addr(parts[0])) ? 32 : 128;
	return to_count(parts[1]) <= width ? cat(to_subnet(value)) : "";
	}

# The source of an indicator in the intelligence framework. Every STIX indicator
# is a source of its own: several may name one value, and other feeds may, too,
# and each can be withdrawn without the others.
function source_of(id: string): string
	{
	return fmt("threatbus:%s", id);
	}

event Tenzir::intel(item: Intelligence)
	{
	if ( item$intel_type !in intel_types )
		{
		complain(fmt("Zeek has no intel type %s", item$intel_type));
		return;
		}

	local kind = intel_types[item$intel_type];
	local value = canonical(kind, item$indicator);

	if ( value == "" || item$id == "" )
		{
		complain(fmt("%s \"%s\" (%s) cannot be looked for", item$intel_type,
		    item$indicator, item$id));
		return;
		}

	# While its removal is under way, an indicator that came back would be lost.
	if ( [kind, value] in leaving )
		{
		event Tenzir::intel(item);
		return;
		}

	local entry = Intel::Item($indicator=value, $indicator_type=kind,
	    $meta=Intel::MetaData($source=source_of(item$id), $desc=item$id));

	switch ( item$operation )
		{
		case "ADD":
			Intel::insert(entry);
			break;
		case "REMOVE":
			# F: other sources of the same value stay.
			Intel::remove(entry, F);
			add leaving[kind, value];
			event Tenzir::removal_finished(kind, value);
			break;
		default:
			complain(fmt("unknown operation %s", item$operation));
			return;
		}

	if ( log_operations )
		note(fmt("%s %s %s (%s)", item$operation, item$intel_type, value, item$id));
	}

# Intel::remove finishes in an event of its own, which was queued before this one.
event Tenzir::removal_finished(kind: Intel::Type, value: string)
	{
	delete leaving[kind, value];
	}

# ==== Matches, on their way from the intelligence framework to Threat Bus

# Matches of one indicator in the current second.
type Matches: record {
	n: count &default=0;
	# Whether it was noisy in the second before.
	noisy: bool &default=F;
};

global matches: table[string] of Matches;

global second_over: event(id: string);

function report(id: string, noisy: bool, n: count)
	{
	local context: table[string] of any;
	context["noisy"] = noisy;

	if ( noisy )
		context["count"] = n;

	send_sighting(id, context);
	note(fmt("%s matched %d times", id, n));
	}

function too_many(n: count): bool
	{
	return noisy_intel_threshold != 0 && n > noisy_intel_threshold;
	}

function count_match(id: string)
	{
	if ( id !in matches )
		{
		matches[id] = Matches();
		schedule 1sec { Tenzir::second_over(id) };
		}

	local current = matches[id];
	++current$n;

	if ( ! current$noisy && ! too_many(current$n) )
		report(id, F, 1);
	}

# Reports what was held back in a second that has passed.
function report_held_back(id: string, past: Matches)
	{
	if ( past$n > 0 && ( past$noisy || too_many(past$n) ) )
		report(id, T, past$n);
	}

event Tenzir::second_over(id: string)
	{
	# At the end of Zeek the timers run out after the table was emptied.
	if ( id !in matches )
		return;

	local past = matches[id];
	report_held_back(id, past);

	if ( ! too_many(past$n) )
		{
		delete matches[id];
		return;
		}

	matches[id] = Matches($noisy=T);
	schedule 1sec { Tenzir::second_over(id) };
	}

# Reports all that is held back.
function report_rest()
	{
	for ( id, past in matches )
		report_held_back(id, past);

	clear_table(matches);
	}

# After a trace file Zeek's clock may stand still, and with it the timers.
event Pcap::file_done(path: string)
	{
	report_rest();
	}

# In a cluster this event comes to the manager, whichever worker saw the match.
event Intel::match(s: Intel::Seen, items: set[Intel::Item])
	{
	if ( ! report_sightings )
		return;

	for ( item in items )
		{
		local meta = item$meta;

		# Other sources have descriptions as well.
		if ( meta?$desc && meta$source == source_of(meta$desc) )
			count_match(meta$desc);
		}
	}

# ==== The connection over Broker: Zeek dials, Threat Bus listens

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

# ==== The connection over WebSocket: Threat Bus dials, Zeek listens

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

# ==== Start and end

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
@endif
