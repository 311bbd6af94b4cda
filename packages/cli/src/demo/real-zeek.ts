/** A Zeek that is installed, for `demo --zeek`. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Where the Zeek script of Threat Bus is: beside the data of a built package, or in a checkout. */
const SCRIPTS = ["../../demo/threatbus.zeek", "../../../../apps/zeek/threatbus.zeek"];
/** From this version on a standalone Zeek has no Broker until it is asked for. */
const BROKER_ON_DEMAND = [8, 1];
/** Milliseconds for `zeek --version`. */
const PATIENCE = 10_000;

/** "8.0.10" of the zeek on PATH; undefined where there is none, or where the script of Threat Bus is missing. */
export async function zeekVersion(): Promise<string | undefined> {
  if (scriptFile() === undefined) return undefined;
  return await new Promise((resolve) => {
    execFile("zeek", ["--version"], { timeout: PATIENCE }, (error, stdout) => {
      resolve(error === null ? /\d+(?:\.\d+)+/.exec(stdout)?.[0] : undefined);
    });
  });
}

function scriptFile(): string | undefined {
  return SCRIPTS.map((file) => fileURLToPath(new URL(file, import.meta.url))).find((file) => existsSync(file));
}

/**
 * The script that a Zeek of the demo runs: it gets the indicators first, and looks at the captured traffic when it has
 * all of them. It prints `indicator <value>` for each, and `match <value>` for each match.
 */
export function demoScript(version: string, brokerPort: number, indicators: number): string {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [firstMajor = 0, firstMinor = 0] = BROKER_ON_DEMAND;
  const onDemand = major > firstMajor || (major === firstMajor && minor >= firstMinor);
  return `${onDemand ? "@load policy/frameworks/cluster/backend/broker\n" : ""}@load ${scriptFile()}

redef exit_only_after_terminate = T;
redef Tenzir::broker_port = ${brokerPort}/tcp;
redef Tenzir::snapshot_intel = 30days;

module ThreatBusDemo;

global known = 0;

function say(line: string)
	{
	print line;
	flush_all();
	}

event zeek_init()
	{
	suspend_processing();
	}

# After the package has put it into the intelligence framework.
event Tenzir::intel(item: Tenzir::Intelligence) &priority=-10
	{
	say(fmt("indicator %s", item$indicator));

	if ( ++known == ${indicators} )
		continue_processing();
	}

event Intel::match(s: Intel::Seen, items: set[Intel::Item])
	{
	for ( item in items )
		say(fmt("match %s", item$indicator));
	}
`;
}
