##! Indicators from Threat Bus, on their way into the intelligence framework.

@load base/frameworks/intel
@load ./log
@load ./options

module Tenzir;

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
