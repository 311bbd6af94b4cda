##! What is written to reporter.log.

@load base/frameworks/reporter
@load ./options

module Tenzir;

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
