// The course of a run: events come at a steady rate, and the receiver fails in the middle.

export const PER_SECOND = 100;
export const SECONDS = 90;
/** The seconds of bad weather. */
export const BAD = { from: 15, to: 75 };

/**
 * The receiver's answers to requests in bad weather: each returns `true` if it stores the request.
 *
 * @type {{ [name: string]: (response: import("node:http").ServerResponse) => boolean }}
 */
export const weathers = {
  "always up": (response) => answer(response, 200),
  "closes connections": (response) => {
    response.destroy();
    return false;
  },
  "does not answer": () => false,
  "answers 503": (response) => answer(response, 503),
  "refuses one in five (500)": (response) => {
    const isTaken = Math.random() > 0.2;
    return answer(response, isTaken ? 200 : 500) && isTaken;
  },
  "limits (429, Retry-After: 5)": (response) => {
    response.setHeader("retry-after", "5");
    return answer(response, 429) && false;
  },
};

/** @param {import("node:http").ServerResponse} response @param {number} status */
function answer(response, status) {
  response.writeHead(status, { "content-type": "application/json" }).end("{}");
  return status === 200;
}
