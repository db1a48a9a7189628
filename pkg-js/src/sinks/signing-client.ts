import type { FetchInit, FetchResponse } from "../util/platform.js";

/** The part of a client that a sink for AWS uses; an `AwsClient` of aws4fetch has it. */
export interface SigningClient {
  /** Signs a request, and sends it. */
  fetch(url: string, init: FetchInit): Promise<FetchResponse>;
}
