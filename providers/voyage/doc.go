// Package voyage is the wire format of two houses that make embeddings and
// rank documents and nothing else: Voyage AI and Jina AI.
//
// Their embeddings are OpenAI's (POST /v1/embeddings) but for a few words,
// their rankings (POST /v1/rerank) differ from each other as little:
//
//	                     Voyage             Jina
//	dimensions           output_dimension   dimensions
//	base64               encoding_format    embedding_type
//	what the input is    input_type         task
//	how many             top_k              top_n
//	rankings under       data               results
//	a document           a string           {"text": …}
//	usage                total_tokens       total_tokens, prompt_tokens
//
// What a caller says of their own fields beside OpenAI's passes; the rest is
// left out and named. Token ids are refused.
//
// Documents, read 2026-11-24: docs.voyageai.com/reference/{embeddings-api,
// reranker-api}, docs.voyageai.com/docs/error-codes, docs.jina.ai,
// jina.ai/{embeddings,reranker}, and recorded traffic of Voyage.
package voyage
