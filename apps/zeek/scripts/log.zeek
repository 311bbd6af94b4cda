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

function complain(message: string)
	{
	if ( message in complaints || |complaints| >= 100 )
		return;

	add complaints[message];
	Reporter::warning(fmt("Threat Bus: %s", message));
	}
