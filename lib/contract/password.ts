/** Every new password, in the pages and in the engine. Here without a schema, so that the browser can load it. */
export const PASSWORD_LENGTH = { min: 12, max: 128 } as const;
