"""What a new installation starts with: sources to poll, and topics to choose among."""

from typing import Any

ARXIV_RSS = "https://rss.arxiv.org/rss/{category}"
DEFAULT_SOURCES: list[dict[str, Any]] = [
    {"slug": "arxiv-cs-cl", "name": "arXiv cs.CL", "kind": "arxiv", "url": ARXIV_RSS.format(category="cs.CL")},
    {"slug": "arxiv-cs-lg", "name": "arXiv cs.LG", "kind": "arxiv", "url": ARXIV_RSS.format(category="cs.LG")},
    {"slug": "arxiv-cs-cv", "name": "arXiv cs.CV", "kind": "arxiv", "url": ARXIV_RSS.format(category="cs.CV")},
    {"slug": "arxiv-cs-ai", "name": "arXiv cs.AI", "kind": "arxiv", "url": ARXIV_RSS.format(category="cs.AI")},
    {
        "slug": "hf-daily-papers",
        "name": "Hugging Face Daily Papers",
        "kind": "hf",
        "url": "https://huggingface.co/api/daily_papers?limit=100",
    },
]


def _category(slug: str, name: str, code: str, description: str, position: int) -> dict[str, Any]:
    return {
        "slug": slug,
        "name": name,
        "description": description,
        "categories": [code],
        "position": position,
    }


DEFAULT_TOPICS: list[dict[str, Any]] = [
    _category("language", "Language", "cs.CL", "Language models, translation, dialogue, text.", 1),
    _category("machine-learning", "Machine learning", "cs.LG", "Learning methods and how they behave.", 2),
    _category("vision", "Computer vision", "cs.CV", "Images, video, 3D, generation and recognition.", 3),
    _category("artificial-intelligence", "Artificial intelligence", "cs.AI", "Planning, knowledge, agents.", 4),
    _category("robotics", "Robotics", "cs.RO", "Robots that move, grasp and navigate.", 5),
    _category("information-retrieval", "Search and recommendation", "cs.IR", "Finding and ranking things.", 6),
    _category("sound", "Sound and speech", "cs.SD", "Speech, music and audio.", 7),
    _category("people-and-computers", "People and computers", "cs.HC", "How people use what we build.", 8),
    _category("security", "Security", "cs.CR", "Attacks, defences and privacy.", 9),
    _category("software-engineering", "Software engineering", "cs.SE", "Code, tests and the tools to make them.", 10),
    _category("statistics", "Statistical learning", "stat.ML", "Learning with theory and uncertainty.", 11),
    _category("neural-computing", "Neural and evolutionary computing", "cs.NE", "Brains and evolution as models.", 12),
    {
        "slug": "agents",
        "name": "Agents",
        "description": "Language models that plan, use tools and act.",
        "any_words": ["agent", "agents", "agentic", "multi-agent", "tool use", "tool calling", "computer use"],
        "position": 20,
    },
    {
        "slug": "reasoning-and-post-training",
        "name": "Reasoning and post-training",
        "description": "Reinforcement learning, preference tuning, chains of thought.",
        "any_words": [
            "post-training",
            "chain-of-thought",
            "reasoning model*",
            "RLHF",
            "RLVR",
            "GRPO",
            "DPO",
            "preference optimization",
            "instruction tuning",
            "test-time scaling",
        ],
        "position": 21,
    },
    {
        "slug": "efficiency",
        "name": "Efficiency",
        "description": "Smaller, faster, cheaper models.",
        "any_words": [
            "quantization",
            "quantized",
            "pruning",
            "distillation",
            "sparsity",
            "KV cache",
            "low-rank",
            "LoRA",
            "speculative decoding",
            "inference speed*",
            "memory-efficient",
        ],
        "position": 22,
    },
]
