##! Matches, on their way from the intelligence framework to Threat Bus.

@load base/frameworks/intel
@load policy/frameworks/intel/seen
@load ./indicators
@load ./log
@load ./messages
@load ./options

module Tenzir;

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
