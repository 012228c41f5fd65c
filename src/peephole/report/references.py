"""The papers behind what a report shows and what the run was trained with."""

from peephole.models.language.model import LanguageModel
from peephole.models.language.time_delay import SOURCE, TimeDelayModel
from peephole.models.sequence import SequenceModel
from peephole.report.parts import Part, References
from peephole.tasks.subject import Subject
from peephole.tasks.text.model import TextModel

OKABE = (
    "Okabe & Ito 2008, Color universal design: how to make figures and presentations that are friendly to colorblind "
    "people"
)
COUNTS = (
    "Kneser & Ney 1995, Improved backing-off for m-gram language modeling; Chen & Goodman 1999, An empirical study of "
    "smoothing techniques for language modeling"
)
BACKPROPAGATION = "Werbos 1990, Backpropagation through time: what it does and how to do it"
TRUNCATED = (
    "Williams & Peng 1990, An efficient gradient-based algorithm for on-line training of recurrent network trajectories"
)
CLIPPING = "Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent neural networks"
FLOW = (
    "Hochreiter 1991, Untersuchungen zu dynamischen neuronalen Netzen; Bengio, Simard & Frasconi 1994, Learning "
    "long-term dependencies with gradient descent is difficult"
)
OPTIMIZERS = {
    "adamw": "Loshchilov & Hutter 2019, Decoupled weight decay regularization",
    "adam": "Kingma & Ba 2015, Adam: a method for stochastic optimization",
    "nadam": "Dozat 2016, Incorporating Nesterov momentum into Adam",
    "radam": "Liu et al. 2020, On the variance of the adaptive learning rate and beyond",
    "adamax": "Kingma & Ba 2015, Adam: a method for stochastic optimization",
    "rmsprop": "Tieleman & Hinton 2012, Lecture 6.5: RMSProp",
    "adagrad": "Duchi, Hazan & Singer 2011, Adaptive subgradient methods for online learning and stochastic "
    "optimization",
    "adadelta": "Zeiler 2012, ADADELTA: an adaptive learning rate method",
    "sgd": "Robbins & Monro 1951, A stochastic approximation method",
    "asgd": "Polyak & Juditsky 1992, Acceleration of stochastic approximation by averaging",
}
STARTS = {
    "orthogonal": "Saxe, McClelland & Ganguli 2014, Exact solutions to the nonlinear dynamics of learning in deep "
    "linear neural networks",
    "identity": "Le, Jaitly & Hinton 2015, A simple way to initialize recurrent networks of rectified linear units",
    "chrono": "Tallec & Ollivier 2018, Can recurrent neural networks warp time?",
}

OF_LANGUAGE = {
    "input_dropout": "Gal & Ghahramani 2016, A theoretically grounded application of dropout in recurrent neural "
    "networks",
    "embedding_dropout": "Gal & Ghahramani 2016, A theoretically grounded application of dropout in recurrent neural "
    "networks",
    "activation_penalty": "Merity, McCann & Socher 2017, Revisiting activation regularization for language RNNs",
    "temporal_penalty": "Merity, McCann & Socher 2017, Revisiting activation regularization for language RNNs",
}
SOFTMAXES = {
    "adaptive": "Grave, Joulin, Cissé, Grangier & Jégou 2017, Efficient softmax approximation for GPUs",
    "sampled": "Jean, Cho, Memisevic & Bengio 2015, On using very large target vocabulary for neural machine "
    "translation; Bengio & Senécal 2008, Adaptive importance sampling to accelerate training of a neural "
    "probabilistic language model",
}
TIED = "Press & Wolf 2017, Using the output embedding to improve language models"


def references(subject: Subject, measured: bool) -> list[Part]:
    """What was used, and where it comes from; `measured` says whether the laboratory had its say."""
    rows = [*_of_net(subject), *_of_training(subject)]
    if measured:
        rows += [
            ("gradient flow and its horizon", FLOW),
            ("interval of the horizon", "Efron 1979, Bootstrap methods: another look at the jackknife"),
            (
                "saturation of gates, units that follow the text",
                "Karpathy, Johnson & Fei-Fei 2015, Visualizing and understanding recurrent networks",
            ),
            (
                "timescales beside what gates keep",
                "Cho et al. 2014, Learning phrase representations using RNN encoder–decoder for statistical machine "
                "translation",
            ),
            (
                "Lyapunov spectrum",
                "Benettin, Galgani, Giorgilli & Strelcyn 1980; Vogt, Puelma Touzel, Shlizerman & Lajoie 2022; "
                "Engelken, Wolf & Abbott 2023",
            ),
        ]
    if isinstance(subject.model, TextModel):
        rows.append(("n-grams", COUNTS))
    rows.append(("colours", OKABE))
    return [References(tuple(dict.fromkeys(rows)))]


def _of_net(subject: Subject) -> list[tuple[str, str]]:
    net = subject.model.model
    if not isinstance(net, SequenceModel):
        return []
    config = net.config
    rows = [("net", SOURCE) if isinstance(net, TimeDelayModel) else ("cell", config.spec.source)]
    init = str(config.start["init"])
    if init in STARTS:
        rows.append((f"start of the weights ({init})", STARTS[init]))
    if config.start["forget_bias"] is not None and not isinstance(net, TimeDelayModel):
        rows.append(
            (
                "bias of the forget gate",
                "Jozefowicz, Zaremba & Sutskever 2015, An empirical exploration of recurrent network architectures",
            )
        )
    noise = {
        "dropout": "Srivastava et al. 2014, Dropout; Zaremba, Sutskever & Vinyals 2014, Recurrent neural network "
        "regularization",
        "recurrent_dropout": "Gal & Ghahramani 2016, A theoretically grounded application of dropout in "
        "recurrent neural networks",
        "zoneout": "Krueger et al. 2017, Zoneout: regularizing RNNs by randomly preserving hidden activations",
        "weight_drop": "Merity, Keskar & Socher 2018, Regularizing and optimizing LSTM language models",
        "proj_size": "Sak, Senior & Beaufays 2014, Long short-term memory recurrent neural network "
        "architectures for large scale acoustic modeling",
    }
    noise |= OF_LANGUAGE
    used = {name for name in noise if getattr(config, name, None)} | ({"zoneout"} if config.zoneout_cell else set())
    rows += [(name.replace("_", " "), source) for name, source in noise.items() if name in used]
    return rows + (_of_language(net) if isinstance(net, LanguageModel) else [])


def _of_language(net: LanguageModel) -> list[tuple[str, str]]:
    """Where the output of a language model comes from."""
    kind = type(net.softmax).__name__.removesuffix("Softmax").lower()
    rows = [(f"{kind} softmax", SOFTMAXES[kind])] if kind in SOFTMAXES else []
    return rows + ([("tied weights", TIED)] if net.head.weight is net.embedding.weight else [])


def _of_training(subject: Subject) -> list[tuple[str, str]]:
    if getattr(subject.model.task, "net", "recurrent") == "by hand":
        return []
    training = subject.model.task.training
    truncated = getattr(training, "bptt", "full") == "truncated"
    rows = [("back-propagation through time", f"{BACKPROPAGATION}{f'; {TRUNCATED}' if truncated else ''}")]
    if isinstance(subject.model.model, TimeDelayModel):
        rows = []
    rows.append((f"optimiser ({training.optimizer})", OPTIMIZERS[training.optimizer]))
    if training.clip_norm is not None:
        rows.append(("clipping of gradients", CLIPPING))
    return rows
