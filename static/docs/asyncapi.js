// Reads the AsyncAPI document: messages of a channel, the answers to a request,
// and schemas as rows of fields. Plain data in and out.

/** Follows a `$ref` within the document, as far as it leads. */
export function resolve(document, node) {
  while (node.$ref) {
    node = node.$ref.slice(2).split('/').reduce((parent, key) => parent[key], document);
  }
  return node;
}

/** The messages of a channel that the client or the server sends. */
export function messagesOf(document, channel, from) {
  return Object.entries(document.channels[channel].messages)
    .filter(([key]) => key.startsWith(`${from}.`))
    .map(([key, message]) => ({ key, ...resolve(document, message) }));
}

/** The operation in which the server receives a request. */
export function operationOf(document, channel, key) {
  return document.operations[`${channel}.${key}`];
}

/** Keys of the events that may answer, `error` aside: every request may meet one. */
export function answersOf(operation) {
  const keys = operation.reply.messages.map(({ $ref }) => $ref.split('/').at(-1));
  return keys.filter((key) => key !== 'server.error');
}

export function anchor(channel, key) {
  return `${channel}.${key}`;
}

/** A payload's fields, save its `type`; those of objects within come after theirs, one level deeper. */
export function fieldsOf(document, schema, depth = 0) {
  return Object.entries(schema.properties ?? {})
    .filter(([name]) => depth || name !== 'type')
    .flatMap(([name, field]) => [
      {
        name,
        depth,
        required: schema.required?.includes(name) ?? false,
        type: typeOf(document, field),
        limits: limitsOf(document, field),
        description: own(document, field).description,
      },
      ...objectsIn(document, field).flatMap((object) => fieldsOf(document, object, depth + 1)),
    ]);
}

function typeOf(document, schema) {
  const { title } = schema.$ref ? resolve(document, schema) : {};
  if (title) return title;
  if ('const' in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.anyOf) return schema.anyOf.map((choice) => typeOf(document, choice)).join(' or ');
  if (schema.prefixItems) return `[${schema.prefixItems.map((part) => typeOf(document, part)).join(', ')}]`;
  if (schema.type === 'array') return `list of ${typeOf(document, schema.items)}`;
  if (schema.format === 'date-time') return 'time';
  return schema.type ?? 'anything';
}

function limitsOf(document, schema) {
  const {
    minLength, maxLength, minimum, maximum, exclusiveMinimum, pattern, maxItems, default: usual,
  } = own(document, schema);
  return [
    maxLength && `${minLength ? `${amount(minLength)} to` : 'up to'} ${amount(maxLength)} characters`,
    maximum !== undefined && `${amount(minimum)} to ${amount(maximum)}`,
    exclusiveMinimum !== undefined && `more than ${amount(exclusiveMinimum)}`,
    pattern,
    maxItems && `up to ${amount(maxItems)}`,
    usual !== undefined && `${JSON.stringify(usual)} if left out`,
  ].filter(Boolean);
}

/** The one schema of a value that may also be null; otherwise the schema itself. */
function own(document, schema) {
  const choices = (schema.anyOf ?? []).filter(({ type }) => type !== 'null');
  return choices.length === 1 ? { ...choices[0], ...schema } : schema;
}

function objectsIn(document, schema) {
  const inner = resolve(document, schema);
  if (inner.properties) return [inner];
  const parts = [...(inner.anyOf ?? []), ...(inner.items ? [inner.items] : [])];
  return parts.flatMap((part) => objectsIn(document, part));
}

function amount(number) {
  return number.toLocaleString('en');
}
