// Package reconcile compares what the ledger says was used of a provider with
// what the provider itself says, by model and day: tokens with its usage
// export, dollars with its cost export. It reads what OpenAI and Anthropic give:
//
//   - OpenAI's organization usage and costs API
//     (https://developers.openai.com/api/docs/api-reference/usage), and the CSV
//     files completions_usage_… and cost_… of its dashboard
//     (https://help.openai.com/en/articles/8554956-understanding-your-api-usage),
//     which have the API's fields for columns.
//   - Anthropic's usage and cost reports
//     (https://platform.claude.com/docs/en/api/admin/usage_report/retrieve_messages,
//     https://platform.claude.com/docs/en/api/admin/cost_report), and the CSV
//     files of its console
//     (https://support.anthropic.com/en/articles/9534590-cost-and-usage-reporting-in-console).
//
// Anthropic's costs leave out what was served at its priority tier, and its
// console's are rounded to cents.
//
// Days are UTC's, as theirs are. It opens no file and asks nobody: bytes and
// figures in, figures out.
package reconcile
