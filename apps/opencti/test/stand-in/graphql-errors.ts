/** Errors as OpenCTI writes them, in the shapes of 6.x and of 5.x (spec/opencti.md 2.1). */

/** Code to the status that stands in the error's data; the reply itself has 200. */
const STATUS: Readonly<Record<string, number>> = {
  AUTH_REQUIRED: 401,
  AUTH_FAILURE: 401,
  OTP_REQUIRED: 401,
  FORBIDDEN_ACCESS: 403,
  INSUFFICIENT_CONFIDENCE_LEVEL: 403,
  FUNCTIONAL_ERROR: 400,
  VALIDATION_ERROR: 400,
  UNSUPPORTED_ERROR: 400,
  MISSING_REFERENCE_ERROR: 404,
  ALREADY_DELETED_ERROR: 404,
};

export class Refusal extends Error {
  readonly code: string;
  readonly docCode: string | undefined;

  constructor(code: string, message: string, docCode?: string) {
    super(message);
    this.code = code;
    this.docCode = docCode;
  }
}

/** @param path name of the field */
export function errorBody(shape: "5" | "6", { code, message, docCode }: Refusal, path: string): object {
  const doc = docCode === undefined ? {} : { doc_code: docCode };
  const data = { http_status: STATUS[code] ?? 500, genre: "TECHNICAL", ...doc };
  const place = { message, locations: [{ line: 1, column: 12 }], path: [path] };
  const error =
    shape === "6"
      ? { ...place, name: code, extensions: { code, data } }
      : { ...place, name: camelCase(code), data, extensions: { code: "INTERNAL_SERVER_ERROR" } };
  return { errors: [error], data: null };
}

function camelCase(code: string): string {
  return code
    .split("_")
    .map((word) => word.charAt(0) + word.slice(1).toLowerCase())
    .join("");
}
