/** The extensions that STIX 2.1 defines itself, for cyber-observables (section 6), by their names. */
import type { Rule } from "./check.ts";
import { customProperty } from "./custom.ts";
import { atLeastOneOf, listOf, listOfObjects, record } from "./lists.ts";
import { hashes } from "./references.ts";
import { boolean, integer, integerBetween, referenceTo, string, timestamp } from "./scalars.ts";
import { dictionary, float, hex, oneOf, socketOptions } from "./values.ts";

const size = integerBetween(0, Number.POSITIVE_INFINITY);

/** An object with these properties; at least one of them has to be there. */
function part(properties: Readonly<Record<string, Rule>>, ...required: readonly string[]): Rule {
  const names = Object.keys(properties);
  const rules = new Map(Object.entries(properties));
  return record({ rules, required, custom: customProperty }, atLeastOneOf(...names));
}

/** Many properties of the same kind. */
function each(rule: Rule, ...names: readonly string[]): Record<string, Rule> {
  return Object.fromEntries(names.map((name) => [name, rule]));
}

/** Section 6.7.7.1 */
const WINDOWS_PE_OPTIONAL_HEADER = part({
  ...each(hex, "magic_hex", "win32_version_value_hex", "checksum_hex", "subsystem_hex", "dll_characteristics_hex"),
  ...each(hex, "loader_flags_hex"),
  ...each(integer, "major_linker_version", "minor_linker_version", "major_os_version", "minor_os_version"),
  ...each(integer, "major_image_version", "minor_image_version"),
  ...each(integer, "major_subsystem_version", "minor_subsystem_version"),
  ...each(integer, "address_of_entry_point", "base_of_code", "base_of_data", "image_base"),
  ...each(integer, "section_alignment", "file_alignment", "number_of_rva_and_sizes"),
  ...each(size, "size_of_code", "size_of_initialized_data", "size_of_uninitialized_data", "size_of_image"),
  ...each(size, "size_of_headers", "size_of_stack_reserve", "size_of_stack_commit"),
  ...each(size, "size_of_heap_reserve", "size_of_heap_commit"),
  hashes,
});

/** Section 6.7.7.2 */
const WINDOWS_PE_SECTION = part({ name: string, size, entropy: float, hashes }, "name");

const WINDOWS_SERVICE = part({
  ...each(string, "service_name", "display_name", "group_name"),
  descriptions: listOf(string),
  start_type: oneOf(
    "SERVICE_AUTO_START",
    "SERVICE_BOOT_START",
    "SERVICE_DEMAND_START",
    "SERVICE_DISABLED",
    "SERVICE_SYSTEM_ALERT",
  ),
  service_dll_refs: listOf(referenceTo("file")),
  service_type: oneOf(
    "SERVICE_KERNEL_DRIVER",
    "SERVICE_FILE_SYSTEM_DRIVER",
    "SERVICE_WIN32_OWN_PROCESS",
    "SERVICE_WIN32_SHARE_PROCESS",
  ),
  service_status: oneOf(
    "SERVICE_CONTINUE_PENDING",
    "SERVICE_PAUSE_PENDING",
    "SERVICE_PAUSED",
    "SERVICE_RUNNING",
    "SERVICE_START_PENDING",
    "SERVICE_STOP_PENDING",
    "SERVICE_STOPPED",
  ),
});

const SOCKET = part(
  {
    address_family: oneOf(
      ...["AF_UNSPEC", "AF_INET", "AF_IPX", "AF_APPLETALK", "AF_NETBIOS", "AF_INET6", "AF_IRDA", "AF_BTH"],
    ),
    ...each(boolean, "is_blocking", "is_listening"),
    options: socketOptions,
    socket_type: oneOf("SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", "SOCK_RDM", "SOCK_SEQPACKET"),
    socket_descriptor: size,
    socket_handle: integer,
  },
  "address_family",
);

/** By name of the extension. */
export const PREDEFINED_EXTENSIONS: ReadonlyMap<string, Rule> = new Map(
  Object.entries({
    "archive-ext": part({ contains_refs: listOf(referenceTo("file", "directory")), comment: string }, "contains_refs"),
    "ntfs-ext": part({
      sid: string,
      alternate_data_streams: listOfObjects(part({ name: string, hashes, size: integer }, "name")),
    }),
    "pdf-ext": part({
      ...each(string, "version", "pdfid0", "pdfid1"),
      is_optimized: boolean,
      document_info_dict: dictionary,
    }),
    "raster-image-ext": part({
      ...each(integer, "image_height", "image_width", "bits_per_pixel"),
      exif_tags: dictionary,
    }),
    "windows-pebinary-ext": part(
      {
        ...each(string, "pe_type", "imphash"),
        ...each(hex, "machine_hex", "pointer_to_symbol_table_hex", "characteristics_hex"),
        ...each(size, "number_of_sections", "number_of_symbols", "size_of_optional_header"),
        time_date_stamp: timestamp("any"),
        file_header_hashes: hashes,
        optional_header: WINDOWS_PE_OPTIONAL_HEADER,
        sections: listOfObjects(WINDOWS_PE_SECTION),
      },
      "pe_type",
    ),
    "http-request-ext": part(
      {
        ...each(string, "request_method", "request_value", "request_version"),
        request_header: dictionary,
        message_body_length: integer,
        message_body_data_ref: referenceTo("artifact"),
      },
      ...["request_method", "request_value"],
    ),
    "icmp-ext": part(each(hex, "icmp_type_hex", "icmp_code_hex"), "icmp_type_hex", "icmp_code_hex"),
    "socket-ext": SOCKET,
    "tcp-ext": part(each(hex, "src_flags_hex", "dst_flags_hex")),
    "windows-process-ext": part({
      ...each(boolean, "aslr_enabled", "dep_enabled"),
      ...each(string, "priority", "owner_sid", "window_title"),
      startup_info: dictionary,
      integrity_level: oneOf("low", "medium", "high", "system"),
    }),
    "windows-service-ext": WINDOWS_SERVICE,
    "unix-account-ext": part({ gid: integer, groups: listOf(string), ...each(string, "home_dir", "shell") }),
  }),
);
