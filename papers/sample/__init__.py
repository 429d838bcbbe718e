"""The bundled sample: two dozen real papers in the two default formats, for a machine that reaches no source.

`arxiv.xml` is a document as rss.arxiv.org serves it, `daily_papers.json` one as huggingface.co/api/daily_papers does;
six papers stand in both. Ids, titles, authors, categories and counts are the papers' own. The descriptions are written
for this sample and only retell the abstracts, in arXiv's ASCII TeX in the one document and as plain text in the other.
The dates are those of no real announcement: `papers.sample.server` moves them to the day asked for.
"""
