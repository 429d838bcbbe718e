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

# Headings for topics that go across arXiv's categories; for the others the science of the category stands.
MODELS, SIGHT, WORLD, MAKING, TRUST, USES = (
    "Language models",
    "Images, video and sound",
    "Robots and the world",
    "How models are made",
    "Trust and people",
    "Science and uses",
)


def _category(slug: str, name: str, codes: str, description: str, position: int) -> dict[str, Any]:
    return {
        "slug": slug,
        "name": name,
        "description": description,
        "categories": codes.split(),
        "position": position,
    }


def _theme(slug: str, name: str, heading: str, description: str, words: str, position: int) -> dict[str, Any]:
    """A topic by words, which are parted by commas."""
    return {
        "slug": slug,
        "name": name,
        "heading": heading,
        "description": description,
        "any_words": [word.strip() for word in words.split(",")],
        "position": position,
    }


_CATEGORIES = [
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
    _category("graphics", "Graphics", "cs.GR", "Rendering, shapes, animation.", 30),
    _category("multi-agent-systems", "Multi-agent systems", "cs.MA", "Many who act, together or not.", 31),
    _category("society", "Computers and society", "cs.CY", "Law, education, fairness, work.", 32),
    _category(
        "social-networks", "Social and information networks", "cs.SI", "Who is linked to whom, and what spreads.", 33
    ),
    _category("databases", "Databases", "cs.DB", "Storing, asking and cleaning data.", 34),
    _category("distributed-computing", "Distributed and parallel computing", "cs.DC", "Clusters, clouds, GPUs.", 35),
    _category(
        "programming-languages", "Programming languages and logic", "cs.PL cs.LO", "Types, proofs, compilers.", 37
    ),
    _category(
        "image-processing", "Image and video processing", "eess.IV", "Medical images, compression, restoration.", 40
    ),
    _category("signals", "Signals and speech processing", "eess.SP eess.AS", "Radio, sensors, voices.", 41),
    _category("control", "Control", "eess.SY", "Keeping systems stable and safe.", 42),
    _category(
        "statistical-methods", "Statistical methods", "stat.ME stat.AP math.ST", "Inference, causality, design.", 44
    ),
    _category(
        "quantitative-biology",
        "Quantitative biology",
        "q-bio.BM q-bio.GN q-bio.QM q-bio.NC",
        "Molecules, genes, brains.",
        46,
    ),
]

_THEMES = [
    _theme(
        "agents",
        "Agents",
        MODELS,
        "Language models that plan, use tools and act.",
        "title:agent, title:agents, LLM agent*, language agent*, AI agent*, agentic, tool use, tool "
        "calling, tool-augmented, function calling, "
        "computer use, web agent*, GUI agent*, autonomous agent*, agent framework*, multi-agent system*",
        20,
    ),
    _theme(
        "reasoning-and-post-training",
        "Reasoning and post-training",
        MODELS,
        "Reinforcement learning, preference tuning, chains of thought.",
        "post-training, chain-of-thought, reasoning model*, RLHF, RLVR, GRPO, DPO, preference optimization, "
        "instruction tuning, test-time scaling",
        21,
    ),
    _theme(
        "efficiency",
        "Efficiency",
        MAKING,
        "Smaller, faster, cheaper models.",
        "quantization, quantized, pruning, distillation, sparsity, KV cache, low-rank, LoRA, speculative decoding, "
        "inference speed*, memory-efficient",
        22,
    ),
    _theme(
        "retrieval-augmented-generation",
        "Retrieval-augmented generation",
        MODELS,
        "Models that look things up before they answer.",
        "retrieval-augmented, RAG, dense retrieval, passage retrieval, deep research, "
        "knowledge-intensive, reranking, "
        "rerankers, reranker",
        50,
    ),
    _theme(
        "evaluation",
        "Evaluation and benchmarks",
        MODELS,
        "New benchmarks, and what they measure.",
        "title:benchmark*, title:benchmarking, title:evaluating, title:evaluation, new benchmark, novel benchmark, "
        "LLM-as-a-judge, benchmark contamination, data contamination, leaderboard*",
        51,
    ),
    _theme(
        "long-context",
        "Long context and memory",
        MODELS,
        "Reading whole books, and remembering.",
        "long-context, long context, context length*, context window*, context extension, length extrapolation, "
        "length generalization, long-term memory, memory-augmented, KV cache",
        52,
    ),
    _theme(
        "hallucination",
        "Factuality and hallucination",
        MODELS,
        "Where models make things up, and how to tell.",
        "hallucination*, hallucinate*, factuality, factual accuracy, fact-checking, fact checking, groundedness, "
        "knowledge editing, model editing",
        53,
    ),
    _theme(
        "code-generation",
        "Code generation",
        MODELS,
        "Models that write, mend and check programs.",
        "code generation, program synthesis, code LLM*, code language model*, program repair, SWE-bench, "
        "code completion, software engineering agent*, text-to-SQL, unit test generation, coding agent*",
        54,
    ),
    _theme(
        "mathematics",
        "Mathematical reasoning",
        MODELS,
        "Solving and proving.",
        "mathematical reasoning, math reasoning, theorem proving, theorem prover*, formal proof*, Lean "
        "4, GSM8K, AIME, "
        "math word problem*, geometry problem*, autoformalization",
        55,
    ),
    _theme(
        "prompting",
        "Prompting and in-context learning",
        MODELS,
        "What a good question is made of.",
        "in-context learning, in-context example*, prompt engineering, prompting, prompt optimization, "
        "few-shot prompt*",
        56,
    ),
    _theme(
        "translation",
        "Translation and many languages",
        MODELS,
        "Beyond English.",
        "machine translation, multilingual, cross-lingual, low-resource language*, code-switching",
        57,
    ),
    _theme(
        "multimodal",
        "Multimodal models",
        SIGHT,
        "Text with images, sound and more.",
        "multimodal, multi-modal, vision-language, VLM, VLMs, MLLM, MLLMs, LVLM, LVLMs, visual question answering, "
        "image-text, omni-modal",
        60,
    ),
    _theme(
        "image-generation",
        "Image generation",
        SIGHT,
        "Pictures from words, and changing them.",
        "image generation, text-to-image, image editing, image synthesis, T2I, inpainting, style transfer",
        61,
    ),
    _theme(
        "video",
        "Video generation and understanding",
        SIGHT,
        "Films made, and films watched.",
        "video generation, text-to-video, video understanding, video diffusion, video editing, image-to-video, "
        "video language model*, long video*, video question answering",
        62,
    ),
    _theme(
        "diffusion",
        "Diffusion and flow models",
        MAKING,
        "Generating by removing noise.",
        "diffusion model*, diffusion transformer*, flow matching, rectified flow, score-based, consistency model*, "
        "denoising diffusion, classifier-free guidance, latent diffusion",
        63,
    ),
    _theme(
        "three-dimensions",
        "3D and rendering",
        SIGHT,
        "Shapes and scenes.",
        "Gaussian splatting, NeRF, neural radiance field*, 3D reconstruction, novel view synthesis, point cloud*, "
        "3D generation, text-to-3D, mesh generation, SLAM, depth estimation, 3D scene*",
        64,
    ),
    _theme(
        "speech-and-music",
        "Speech and music",
        SIGHT,
        "Voices heard and made.",
        "speech recognition, text-to-speech, speech synthesis, TTS, ASR, voice conversion, speech language model*, "
        "spoken dialogue, music generation, audio generation, speaker verification, audio language model*",
        65,
    ),
    _theme(
        "documents",
        "Documents and tables",
        SIGHT,
        "Reading pages, charts and tables.",
        "document understanding, OCR, document parsing, chart understanding, table understanding, tabular data, "
        "layout analysis, chart question answering, information extraction, visually-rich document*",
        66,
    ),
    _theme(
        "embodied",
        "Embodied AI and manipulation",
        WORLD,
        "Robots that learn to do things.",
        "embodied, robot manipulation, robotic manipulation, vision-language-action, VLA, VLAs, imitation learning, "
        "dexterous, humanoid*, sim-to-real, visuomotor, robot learning",
        70,
    ),
    _theme(
        "world-models",
        "World models and simulation",
        WORLD,
        "Learning what happens next.",
        "world model*, world simulator*, model-based reinforcement learning, learned simulator*, "
        "physical simulation, "
        "interactive world*",
        71,
    ),
    _theme(
        "driving",
        "Autonomous driving",
        WORLD,
        "Cars that see and plan.",
        "autonomous driving, self-driving, trajectory prediction, motion planning, autonomous vehicle*, "
        "lane detection, "
        "BEV, traffic scene*",
        72,
    ),
    _theme(
        "reinforcement-learning",
        "Reinforcement learning",
        MAKING,
        "Learning by trying.",
        "reinforcement learning, policy gradient*, offline RL, reward model*, Q-learning, PPO, actor-critic, "
        "exploration bonus*, multi-armed bandit*, contextual bandit*",
        80,
    ),
    _theme(
        "pretraining",
        "Pre-training and scaling",
        MAKING,
        "What large models learn from much text, and how it grows.",
        "scaling law*, language model pre-training, language model pretraining, LLM pretraining, "
        "continual pre-training, "
        "foundation model training, training dynamics, tokenizer*, tokenization, pre-training data, "
        "pretraining data, "
        "learning rate schedule*",
        81,
    ),
    _theme(
        "architectures",
        "Architectures",
        MAKING,
        "Attention, its rivals, and experts in turn.",
        "mixture-of-experts, mixture of experts, MoE, state space model*, Mamba, linear attention, sparse attention, "
        "transformer architecture*, positional encoding*, positional embedding*, recurrent architecture*, RWKV",
        82,
    ),
    _theme(
        "data-curation",
        "Data curation and synthetic data",
        MAKING,
        "What models are fed with.",
        "data curation, data selection, data filtering, synthetic data, data mixture*, data quality, deduplication, "
        "data augmentation, data synthesis, dataset distillation, coreset*, title:dataset, title:corpus",
        83,
    ),
    _theme(
        "interpretability",
        "Interpretability",
        TRUST,
        "What happens inside.",
        "interpretability, mechanistic, sparse autoencoder*, explainab*, circuit analysis, attribution method*, "
        "feature attribution*, probing classifier*, activation steering, steering vector*, XAI",
        90,
    ),
    _theme(
        "safety",
        "Safety and alignment",
        TRUST,
        "Doing what is meant, and no harm.",
        "AI safety, value alignment, safety alignment, jailbreak*, red teaming, red-teaming, harmful content, "
        "guardrail*, prompt injection*, refusal*, scalable oversight, deceptive alignment, misalignment, toxicity, "
        "backdoor attack*, unlearning",
        91,
    ),
    _theme(
        "robustness",
        "Robustness and uncertainty",
        TRUST,
        "Knowing when one does not know.",
        "adversarial attack*, adversarial robustness, adversarial example*, distribution shift*, "
        "out-of-distribution, "
        "domain generalization, uncertainty quantification, uncertainty estimation, conformal "
        "prediction, calibration error",
        92,
    ),
    _theme(
        "privacy",
        "Privacy and federated learning",
        TRUST,
        "Learning without looking.",
        "differential privacy, differentially private, federated learning, membership inference, privacy-preserving, "
        "data privacy, watermark*",
        93,
    ),
    _theme(
        "fairness",
        "Fairness and bias",
        TRUST,
        "Who is left out.",
        "fairness, social bias*, gender bias*, stereotype*, debiasing, demographic group*, "
        "cultural bias*, political bias*",
        94,
    ),
    _theme(
        "education",
        "Education and work",
        TRUST,
        "In schools and offices.",
        "education, educational, tutoring, student learning, student essay*, classroom*, labor market*, productivity",
        95,
    ),
    _theme(
        "healthcare",
        "Healthcare and medicine",
        USES,
        "From pictures of the body to the doctor's words.",
        "clinical, medical, healthcare, radiology, pathology, electronic health record*, patients, "
        "diagnosis, surgical, "
        "MRI, tumor*, cancer, mental health",
        100,
    ),
    _theme(
        "biology-and-chemistry",
        "Molecules, proteins and materials",
        USES,
        "Models for the smallest things.",
        "protein*, molecular, molecule*, drug discovery, materials discovery, crystal structure*, "
        "single-cell, genomic*, "
        "chemistry, RNA, antibody, antibodies",
        101,
    ),
    _theme(
        "science",
        "AI for science",
        USES,
        "Discovery, equations and simulation.",
        "scientific discovery, AI for science, physics-informed, neural operator*, partial differential "
        "equation*, PDE, "
        "PDEs, scientific literature, AI scientist*, symbolic regression, fluid dynamics",
        102,
    ),
    _theme(
        "earth-and-climate",
        "Earth, weather and climate",
        USES,
        "The planet from above and ahead.",
        "weather forecast*, climate, remote sensing, earth observation, satellite imag*, geospatial, precipitation, "
        "wildfire*, agricultur*, crop*",
        103,
    ),
    _theme(
        "time-series",
        "Time series and forecasting",
        USES,
        "What comes next, in numbers.",
        "time series, time-series, forecasting, time series anomaly detection, spatiotemporal "
        "forecasting, traffic prediction",
        104,
    ),
    _theme(
        "graphs",
        "Graph learning",
        MAKING,
        "Learning on what is linked.",
        "graph neural network*, GNN, GNNs, graph learning, node classification, link prediction, knowledge graph*, "
        "graph transformer*, message passing, hypergraph*",
        105,
    ),
    _theme(
        "recommendation",
        "Recommendation",
        USES,
        "What you may like.",
        "recommendation system*, recommender*, sequential recommendation, personalized recommendation*, "
        "collaborative filtering, click-through rate, user preference modeling, CTR prediction",
        106,
    ),
    _theme(
        "law-and-money",
        "Law and money",
        USES,
        "Contracts, courts and markets.",
        "legal, court*, financial, stock market*, stock price*, portfolio*, banking, cryptocurrenc*, patent*, tax",
        107,
    ),
]

DEFAULT_TOPICS: list[dict[str, Any]] = [*_CATEGORIES, *_THEMES]
