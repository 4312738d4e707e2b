// Package catalog is what is known of providers and models, as data: where a
// provider is reached and with which key, what a model costs, how much it
// takes in and gives out, what it can do.
//
// Two layers are laid over each other, field by field:
//
//   - charm.land/catwalk, embedded (41 providers, some 1,500 chat models as of
//     2026-08-19): base URL, key variable, base prices, context, output,
//     reasoning. Its cached prices mean different things from provider to
//     provider and are not taken; nor are its default headers, which name
//     another program;
//   - data/*.json, ours: what catwalk lacks (embeddings, audio, images,
//     moderation, reranking, further providers), cached, cache-write,
//     long-context, batch and priority prices, and corrections. Every file names the page its
//     prices are from and the day they were read, and whether they were read
//     there or taken from BerriAI/litellm's map of such pages; a model may name
//     its own.
//
// The user's own prices lie over both; that is done where the configuration is
// read. An OpenAI-compatible provider is an entry here, never code.
//
// A price is a decimal number of US dollars per million tokens, as a string,
// so that no float touches it; an empty one is not known, which is not free.
// All is read at the first Load, in some 20 ms.
package catalog
