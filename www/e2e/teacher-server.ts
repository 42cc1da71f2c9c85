/** A teacher on this machine, for the tests: OpenAI-compatible as far as it goes, and it keeps what it was sent. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Asked {
  method: string;
  headers: IncomingMessage["headers"];
  body: string;
}

export interface TeacherServer {
  url: string;
  asked: Asked[];
  close(): Promise<void>;
}

type Answer = (response: ServerResponse, count: number) => void;

/** As a well-behaved server answers: to every page, and in a stream. */
export const streamed: Answer = (response) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const principles = [
    { level: "task", label: null, attribute: null, values: [], text: "Write a short command.", polarity: "do" },
    { level: "label", label: "GetWeather", attribute: null, values: [], text: 'Use the word "forecast".', polarity: "do" },
  ];
  for (const piece of JSON.stringify({ principles }).match(/.{1,40}/g) ?? []) {
    response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: piece } }] })}\n\n`);
  }
  response.end('data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: {"choices":[],"usage":{"prompt_tokens":400,"completion_tokens":80}}\n\ndata: [DONE]\n\n');
};

export async function teacher(answer: Answer = streamed, cors = true): Promise<TeacherServer> {
  const asked: Asked[] = [];
  const server: Server = createServer((request, response) => {
    if (cors) {
      response.setHeader("access-control-allow-origin", "*");
      response.setHeader("access-control-allow-headers", "authorization, content-type");
      response.setHeader("access-control-expose-headers", "retry-after");
    }
    if (request.method === "OPTIONS") {
      response.writeHead(204).end();
      return;
    }
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      asked.push({ method: request.method ?? "", headers: request.headers, body: Buffer.concat(chunks).toString() });
      answer(response, asked.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
