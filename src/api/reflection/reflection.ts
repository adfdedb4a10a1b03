/**
 * gRPC's server reflection (grpc.io, "GRPC Server Reflection Protocol"), v1 and v1alpha: tools such
 * as grpcurl ask it for the services and messages of this server. It tells what proto/ says and
 * nothing about keys, so it needs no login. Only --enable-grpc-reflection registers it.
 */
import { Code } from "../../base/errors.js";
import type { Method, StreamCall } from "../../grpc/call.js";
import type { Member } from "../../member/types.js";
import {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from "../../wire/gen/grpc/reflection/v1/reflection.js";
import { serve } from "../serve.js";
import { answersUnread, asksForNothing, decodeOnStream, refuse } from "../status.js";
import { type DescriptorFile, DescriptorFiles } from "./descriptor-files.js";

type Answer = NonNullable<ServerReflectionResponse["message_response"]>;

/** @param methods all other methods of the server */
export function reflectionMethods(member: Member, methods: readonly Method[]): Method[] {
  const files = new DescriptorFiles();
  const served: string[] = [];
  const handlers = {
    ServerReflectionInfo: (call: StreamCall) => {
      const session = new Session(files, served);
      let isRead = true;
      call.onDrain(() => {
        isRead = true;
      });
      call.onMessage((message) => {
        if (!isRead) {
          refuse(call, answersUnread);
          return;
        }
        const request = decodeOnStream(call, ServerReflectionRequest, message);
        if (request === undefined) return;
        const answer = session.answer(request);
        if (answer === undefined) {
          refuse(call, asksForNothing);
          return;
        }
        const response: ServerReflectionResponse = {
          valid_host: request.host,
          original_request: request,
          message_response: answer,
        };
        isRead = call.send(ServerReflectionResponse.encode(response).finish());
      });
      call.onHalfClose(() => call.end());
    },
  };
  const own = [
    ...serve(member, "grpc.reflection.v1.ServerReflection", handlers),
    ...serve(member, "grpc.reflection.v1alpha.ServerReflection", handlers),
  ];
  const names = [...methods, ...own].map(({ path }) => path.split("/")[1] ?? "");
  served.push(...[...new Set(names)].sort());
  return own;
}

/** One stream: it gets each imported file once. */
class Session {
  readonly #files: DescriptorFiles;
  readonly #services: readonly string[];
  readonly #sent = new Set<DescriptorFile>();

  constructor(files: DescriptorFiles, services: readonly string[]) {
    this.#files = files;
    this.#services = services;
  }

  /** Undefined: the request asks for nothing. */
  answer({ message_request: asked }: ServerReflectionRequest): Answer | undefined {
    const files = this.#files;
    switch (asked?.$case) {
      case "list_services": {
        const service = this.#services.map((name) => ({ name }));
        return { $case: "list_services_response", value: { service } };
      }
      case "file_by_filename":
        return this.#send(files.named(asked.value), asked.value);
      case "file_containing_symbol":
        return this.#send(files.declaring(asked.value), asked.value);
      case "file_containing_extension": {
        const { containing_type, extension_number } = asked.value;
        // The files are proto3: they have no extensions.
        return notFound(`${containing_type} has no extension ${extension_number}`);
      }
      case "all_extension_numbers_of_type": {
        const base_type_name = asked.value;
        if (!files.hasMessage(base_type_name)) return notFound(`no message ${base_type_name}`);
        const value = { base_type_name, extension_number: [] };
        return { $case: "all_extension_numbers_response", value };
      }
      default:
        return undefined;
    }
  }

  #send(file: DescriptorFile | undefined, name: string): Answer {
    if (file === undefined) return notFound(`nothing is called ${name}`);
    const all = this.#files.withImports(file);
    const news = all.filter((each) => each === file || !this.#sent.has(each));
    for (const each of news) this.#sent.add(each);
    const value = { file_descriptor_proto: news.map(({ bytes }) => Buffer.from(bytes)) };
    return { $case: "file_descriptor_response", value };
  }
}

function notFound(error_message: string): Answer {
  return { $case: "error_response", value: { error_code: Code.notFound, error_message } };
}
