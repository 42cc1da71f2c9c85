/** Asking the hub. Each request is told to the page, which shows what has left the tab. */
import { CodedError } from "../failure";

export type OnAsked = (url: string) => void;

/** Asks for a file, from a byte on. No cookies, no address of the page. */
export async function ask(url: string, what: string, range: string | null, signal: AbortSignal | null, asked: OnAsked): Promise<Response> {
  asked(url);
  const response = await fetch(url, {
    headers: range === null ? {} : { Range: `bytes=${range}` },
    credentials: "omit",
    referrerPolicy: "no-referrer",
    cache: "no-store",
    signal,
  }).catch((thrown: unknown) => {
    throw signal?.aborted === true ? stopped() : new CodedError("download", `The hub could not be reached for ${what} (${String(thrown)}); check the network and try again, what has arrived is kept.`);
  });
  if (response.status === 404) {
    throw new CodedError("download", `${what} is not on the hub; check the name and the revision.`);
  }
  if (response.status === 401 || response.status === 403) {
    throw new CodedError("download", `The hub refuses ${what} (status ${response.status}): the name may be wrong, or its licence must be accepted; fetch such a model with a browser of yours and drop its files here.`);
  }
  if (!response.ok && response.status !== 416) {
    throw new CodedError("download", `The hub gave no answer for ${what} (status ${response.status}); try again later, what has arrived is kept.`);
  }
  return response;
}

export function stopped(): CodedError {
  return new CodedError("cancelled", "Stopped; what has arrived is kept and can be continued.");
}
