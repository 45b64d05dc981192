"""What must be known of the rules before they are loaded.

Written by ``tools/index_rules.py``.
"""

# fmt: off

from __future__ import annotations

from freezelint.analysis.search import LinePattern
from freezelint.findings import Level
from freezelint.rules.rule import IndexedRule

_0 = ('requires_grad',)
_1 = ('\\.requires_grad\\s*=(?!=)', 'requires_grad[\\"\'](?<=[\\"\']requires_grad[\\"\'])')
_2 = (LinePattern(word='.requires_grad', pattern='(?:(?<!parameters\\(\\):\\n)[ \\t]*\\w+|[^\\n]*(?:[:;][ \\t]*\\w+|\\.\\w+|[\\])]))\\.requires_grad\\s*=(?!=)'), 'requires_grad[\\"\'](?<=[\\"\']requires_grad[\\"\'])')
_3 = ('require_g', 'required_g', 'requires_grads', 'requires_grade', 'requires_gradi', 'requires_grad_grad', 'requires_gard', 'requires_gred', 'requires_grd', 'requeires_g', 'requiers_g', 'requies_g', 'requirs_g', 'requre_g', 'requres_g', 'requries_g', 'reqires_g', 'reqiures_g', 'request_grad', 'reuires_g', 'requires_Grad', 'require_Grad')
_4 = ('re(?<!\\wre)(?<!def re)[a-z]{3,8}_[gG][a-z_]*(?:\\s*=(?!=)|\\(|[\\"\'])',)
_5 = ('requires_grad_',)
_6 = ('\\.requires_grad_\\s*=(?!=)', 'requires_grad_[\\"\'](?<=[\\"\']requires_grad_[\\"\'])')
_7 = ('\\.requires_grad_(?!\\w|\\s*[(=][^=])',)
_8 = ('\\.requires_grad\\s*(?:==|is\\b)',)
_9 = ('\\.data(?:\\[[^\\]\\n]*\\])?\\.requires_grad', '\\.(?:data|detach\\(\\))[ \\t]*\\n(?:[^\\n]*\\n){0,2}?[ \\t]*\\w+\\.requires_grad\\s*=\\s*False', '\\.(?:detach|clone|cpu|cuda|to|half|float|double|bfloat16|type)\\([^()]*\\)\\s*\\.requires_grad')
_10 = ('state_dict(',)
_11 = ('\\.requires_grad(?:_\\(|\\s*=(?!=))', 'requires_grad[\\"\'](?<=[\\"\']requires_grad[\\"\'])')
_12 = ('state_dict\\([^()\\n]*\\)\\.(?:items|values)\\(\\)', 'state_dict\\([^()\\n]*\\)\\[', 'state_dict\\(\\)[ \\t]*(?:#.*)?\\n')
_13 = ('parameters', 'children', 'modules')
_14 = ('parameters\\([^()]*\\)\\s*\\.requires_grad', 'children\\([^()]*\\)\\s*\\.requires_grad', 'modules\\([^()]*\\)\\s*\\.requires_grad', '=\\s*[\\w.\\[\\]]+\\.(?:named_)?(?:parameters|children|modules)\\(\\)\\s*\\n', '=\\s*(?:list|filter|(?:itertools\\.)?chain)\\(')
_15 = ('.trainable', '.stop_gradient', '.frozen', '.freeze')
_16 = ('\\.trainable\\s*=(?!=)\\s*(?:True|False)', '\\.stop_gradient\\s*=(?!=)\\s*(?:True|False)', '\\.frozen\\s*=(?!=)\\s*True', '\\.freeze\\s*=(?!=)\\s*True')
_17 = ('no_grad', 'inference_mode', 'enable_grad', '.eval', '.train', '.requires_grad_', '.detach()')
_18 = ('no_grad(?<!@torch\\.no_grad)(?<!@no_grad)(?:(?:\\(\\))?[ \\t]*[\\n#;]|:)', 'inference_mode(?<!@torch\\.inference_mode)(?:(?:\\(\\))?[ \\t]*[\\n#;]|:)', 'enable_grad(?<!@torch\\.enable_grad)(?:(?:\\(\\))?[ \\t]*[\\n#;]|:)', '\\.eval[ \\t]*[\\n#;]', '\\.train[ \\t]*[\\n#;]', '\\.requires_grad_[ \\t]*[\\n#;]', LinePattern(word='.detach()', pattern='[ \\t]*\\w[\\w.]*\\.detach\\(\\)[ \\t]*[\\n#;]'))
_19 = ('parameters(',)
_20 = ('step(', 'configure_optimizers')
_21 = ('eval(', 'train(False', 'train(mode=False')
_22 = ('optim', 'Optim', 'Adam', 'SGD')
_23 = ('optim\\w*\\.(?!lr_scheduler)[A-Z]\\w*\\(', 'Adam\\w*\\(', 'SGD\\w*\\(', 'RMSprop\\w*\\(', 'Adagrad\\w*\\(', 'Adadelta\\w*\\(', 'LBFGS\\w*\\(', 'Rprop\\w*\\(', 'Lion\\w*\\(', 'Muon\\w*\\(', 'Adafactor\\w*\\(', 'Lamb\\w*\\(', 'LAMB\\w*\\(', 'optim,', 'Optimizer\\)', 'Optimizer\\(')
_24 = ('no_grad', 'inference_mode')
_25 = ('backward(', 'training_step')
_26 = (LinePattern(word='filter', pattern='[^\\n]*=\\s*filter\\((?:[^\\n]*\\n){0,3}?[^\\n]*parameters\\('), LinePattern(word='map', pattern='[^\\n]*=\\s*map\\((?:[^\\n]*\\n){0,3}?[^\\n]*parameters\\('), LinePattern(word='zip', pattern='[^\\n]*=\\s*zip\\((?:[^\\n]*\\n){0,3}?[^\\n]*parameters\\('), LinePattern(word='iter(', pattern='[^\\n]*=\\s*iter\\([^\\n]*parameters\\('), LinePattern(word='chain', pattern='[^\\n]*=\\s*(?:itertools\\.)?chain(?:\\.from_iterable)?\\((?:[^\\n]*\\n){0,3}?[^\\n]*parameters\\('), LinePattern(word='parameters()', pattern='[^\\n]*=\\s*[\\w.\\[\\]]+\\.(?:named_)?parameters\\(\\)\\s*(?:#.*)?\\n'), '=\\s*\\((?:[^\\n]*\\n){0,2}?[^\\n]*\\sfor\\s[^\\n]*parameters\\(', 'return \\((?:[^\\n]*\\n){0,2}?[^\\n]*\\sfor\\s[^\\n]*parameters\\(', 'return filter\\([^\\n]*parameters\\(', 'def \\w+\\((?:self, )?(?!self\\b)(\\w+)[^\\n]*:\\n(?:[^\\n]+\\n){0,8}?[^\\n]* for \\w+ in \\1[:)\\]][^\\n]*\\n(?:[^\\n]+\\n){0,5}?[^\\n]* for \\w+ in \\1[:)\\]]')
_27 = ('named_parameters(', 'named_children(', 'named_modules(')
_28 = ('torchvision', 'Sequential(', 'Module)', 'DataParallel(', 'torch.compile(', 'get_peft_model(')
_29 = ('startswith\\(', 'endswith\\(', '\\" (?:not )?in \\w', "' (?:not )?in \\w", ' in \\w+ for ', 'if (?:not )?\\w+ (?:not )?in [\\w({\\[]', '= (?:not )?\\w+ (?:not )?in [\\w({\\[]', '_\\((?:not )?\\w+ (?:not )?in [\\w({\\[]', 'name [=!]= ', 'n [=!]= ')
_30 = ('in (?!self\\.named)[\\w.\\[\\]()]{1,80}\\.named_', '\\((?!self\\.named)[\\w.\\[\\]()]{1,80}\\.named_')
_31 = ('named_parameters(', 'named_modules(', 'named_children(')
_32 = ('torchvision', 'Sequential(', 'Module)', 'ayer.{', 'ayer.1', 'ayers.{', 'ayers.1', 'lock.{', 'lock.1', 'locks.{', 'locks.1', 'h.{', 'h.1')
_33 = ('children(',)
_34 = ('add_argument(',)
_35 = ('type=bool', 'type = bool')
_36 = ('freez', 'frozen', 'tune', 'tuning', 'train')
_37 = ('type=bool\\b', 'type = bool\\b')
_38 = ('requires_grad(?:_\\(|[\\"\'],|\\s*=(?!=))\\s*(?:requires_grad\\s*=\\s*)?(?:\\d|None|[\\"\']|(?!self\\.)\\w+\\.(?!requires_grad)\\w+\\)?\\s*(?:#.*)?\\n)',)
_39 = ('optim\\w*\\.(?!lr_scheduler)[A-Z]\\w*\\(', 'Adam\\w*\\(', 'SGD\\w*\\(', 'RMSprop\\w*\\(', 'Adagrad\\w*\\(', 'Adadelta\\w*\\(', 'LBFGS\\w*\\(', 'Rprop\\w*\\(', 'Lion\\w*\\(', 'Muon\\w*\\(', 'Adafactor\\w*\\(', 'Lamb\\w*\\(', 'LAMB\\w*\\(', 'optim,', 'Optimizer\\)', 'Optimizer\\(', '\\.backward\\(', 'Trainer\\(')
_40 = ('Parameter(', 'register_parameter')
_41 = ('\\.(?<!self\\.)\\w+\\s*=\\s*(?:torch\\.)?(?:nn\\.)?(?:parameter\\.)?Parameter\\(', 'register_parameter\\(', 'setattr\\(')
_42 = ('weight_norm', 'remove_spectral_norm')
_43 = ('optim\\w*\\.(?!lr_scheduler)[A-Z]\\w*\\(', 'Adam\\w*\\(', 'SGD\\w*\\(', 'RMSprop\\w*\\(', 'Adagrad\\w*\\(', 'Adadelta\\w*\\(', 'LBFGS\\w*\\(', 'Rprop\\w*\\(', 'Lion\\w*\\(', 'Muon\\w*\\(', 'Adafactor\\w*\\(', 'Lamb\\w*\\(', 'LAMB\\w*\\(', 'optim,', 'Optimizer\\)', 'Optimizer\\(', 'Trainer\\(')
_44 = ('load_state_dict',)
_45 = ('.step(',)
_46 = ('optim', 'Optim', 'Adam', 'SGD', 'RMSprop', 'Adagrad', 'LBFGS', 'Lion', 'Muon')
_47 = ('step', 'backward')
_48 = ('register_hook', '.grad')
_49 = ('register_hook\\(', '\\.grad\\b')
_50 = ('OneCycleLR', 'CyclicLR', 'CosineAnnealing', 'SWALR', 'Rprop')
_51 = ('lr[\\"\']\\s*:\\s*0(?:\\.0*)?[\\s,})]', 'lr\\s*=\\s*0(?:\\.0*)?[\\s,})]')
_52 = ('step(',)
_53 = ('param_groups',)
_54 = ('mul_(', '*=')
_55 = ('def step\\(',)
_56 = ('params', 'add_param_group')
_57 = ('add_param_group\\(', 'params[\\"\']\\s*:', 'params\\s*=')
_58 = ('load_state_dict', 'zip(')
_59 = ('load_state_dict\\([\\w.]+\\.state_dict\\(', 'zip\\([\\w.]+\\.parameters\\(')
_60 = ('backward',)
_61 = ('Parameter(', 'nn.')
_62 = ('Module\\)', 'self\\.\\w+ = nn\\.(?:Linear|Conv\\dd|Embedding|Sequential)\\(')
_63 = ('clip_grad_norm',)
_64 = ('clip_grad_norm_?\\(',)
_65 = ('zip(',)
_66 = (LinePattern(word='.requires_grad', pattern='[^\\n]*\\b(?:if|and|or|not|lambda|while)\\b[^\\n]*\\.requires_grad\\s*(?:[\\]),:]|and\\b|or\\b|is\\b|==)'),)
_67 = ('train(',)
_68 = ('BatchNorm', 'InstanceNorm', 'torchvision')
_69 = ('step(', 'backward(')
_70 = ('\\.train\\((?:True|mode=True)?\\)',)
_71 = ('\\.backward\\(', '\\.step\\(')
_72 = ('step(', 'backward(', 'Trainer(')
_73 = ('requires_grad', 'BatchNorm', 'Optim', 'optim')
_74 = ('BatchNorm', 'InstanceNorm', 'torchvision', 'ropout', 'Transformer', 'MultiheadAttention', 'requires_grad')
_75 = ('\\.eval\\(\\)', '\\.train\\(False\\)', '\\.train\\(mode=False\\)')
_76 = ('\\.train\\((?:True|mode=True|resume_from_checkpoint=.*)?\\)',)
_77 = ('track_running_stats', '.momentum')
_78 = ('\\.track_running_stats\\s*=\\s*False', '\\.momentum\\s*=\\s*0(?:\\.0*)?\\s')
_79 = ('BatchNorm', 'InstanceNorm', 'torchvision', 'ropout', 'Transformer', 'MultiheadAttention')
_80 = ('no_grad', 'inference_mode', 'grad_enabled')
_81 = ('isinstance(',)
_82 = ('BatchNorm',)
_83 = ('isinstance\\([^()]*BatchNorm[123]d[,)\\s]', 'isinstance\\([^()]*SyncBatchNorm[,)\\s]')
_84 = ('requires_grad', 'from_pretrained')
_85 = ('max_norm\\s*=', 'spectral_norm\\(', 'register_buffer\\(')
_86 = ('\\.requires_grad(?:_\\(|\\s*=(?!=))', 'requires_grad[\\"\'](?<=[\\"\']requires_grad[\\"\'])', 'Embedding\\.from_pretrained\\(', 'EmbeddingBag\\.from_pretrained\\(')
_87 = ('cuda', '.to(')
_88 = ('backward(',)
_89 = ('LSTM\\(', 'GRU\\(', 'RNN\\(')
_90 = ('deepcopy',)
_91 = ('eval(', 'train(False')
_92 = ('\\.lerp_\\(', '\\.mul_\\(', '\\.copy_\\(', '\\.data\\s*=')
_93 = ('zip\\(',)
_94 = ('no_grad', 'inference_mode', 'detach()', 'set_grad_enabled')
_95 = ('parameters(', 'Parameter(')
_96 = ('no_grad\\(', 'inference_mode\\(', 'detach\\(\\)', 'set_grad_enabled\\(')
_97 = ('backward\\((?<!def backward\\()', 'training_step\\(')
_98 = ('\\.requires_grad\\s*=\\s*True', '\\.requires_grad_\\((?:requires_grad=)?(?:True)?\\)', 'ensor\\([^()]*(?:\\([^()]*\\)[^()]*)*requires_grad\\s*=\\s*True', 'Variable\\([^()]*(?:\\([^()]*\\)[^()]*)*requires_grad\\s*=\\s*True', 'requires_grad[\\"\'](?<=[\\"\']requires_grad[\\"\'])')
_99 = ('\\.backward\\(', 'manual_backward\\(')
_100 = ('checkpoint',)
_101 = ('backward', 'training_step')
_102 = ('step(', 'optim', 'Optim')
_103 = ('checkpoint\\((?<!\\wcheckpoint\\()', 'checkpoint_sequential\\(')
_104 = ('inference_mode',)
_105 = ('inference_mode\\(', 'inference_mode\\n')
_106 = ('\\]\\.requires_grad(?:_\\(|\\s*=(?!=))', '\\.requires_grad(?:(?<=\\s\\w{1}\\.requires_grad)|(?<=\\s\\w{2}\\.requires_grad)|(?<=\\s\\w{3}\\.requires_grad)|(?<=\\s\\w{4}\\.requires_grad)|(?<=\\s\\w{5}\\.requires_grad)|(?<=\\s\\w{6}\\.requires_grad)|(?<=\\s\\w{7}\\.requires_grad)|(?<=\\s\\w{8}\\.requires_grad)|(?<=\\s\\w{9}\\.requires_grad)|(?<=\\s\\w{10}\\.requires_grad)|(?<=\\s\\w{11}\\.requires_grad)|(?<=\\s\\w{12}\\.requires_grad)|(?<=\\s\\w{13}\\.requires_grad)|(?<=\\s\\w{14}\\.requires_grad)|(?<=\\s\\w{15}\\.requires_grad)|(?<=\\s\\w{16}\\.requires_grad))(?<!\\sp\\.requires_grad)(?<!\\sparam\\.requires_grad)(?:\\s*=\\s*False|_\\((?:requires_grad=)?False)', 'requires_grad[\\"\'](?<=[\\"\']requires_grad[\\"\'])')
_107 = ('\\]\\.requires_grad', 'backward\\(', 'training_step\\(')
_108 = ('optim\\w*\\.(?!lr_scheduler)[A-Z]\\w*\\(', 'Adam\\w*\\(', 'SGD\\w*\\(', 'RMSprop\\w*\\(', 'Adagrad\\w*\\(', 'Adadelta\\w*\\(', 'LBFGS\\w*\\(', 'Rprop\\w*\\(', 'Lion\\w*\\(', 'Muon\\w*\\(', 'Adafactor\\w*\\(', 'Lamb\\w*\\(', 'LAMB\\w*\\(', 'optim,', 'Optimizer\\)', 'Optimizer\\(', '\\[[-\\w]+\\]\\s*=\\s*(?:(?:torch\\.)?nn\\.)?[A-Z]\\w*\\(', '\\.(?<!self\\.)\\w+\\s*=\\s*(?:(?:torch\\.)?nn\\.)?[A-Z]\\w*\\(', '_modules\\[[\\"\'][^\\"\'\\n]+[\\"\']\\]\\s*=', '= nn\\.[A-Z]\\w*\\([^\\n()]*\\), *\\w', ', nn\\.[A-Z]\\w*\\([^\\n()]*\\)[ \\t]*(?:#.*)?\\n', 'reset_classifier\\(', 'add_module\\(', 'setattr\\(')
_109 = ('step(', 'minimize(', 'train', 'fit', 'configure_optimizers')
_110 = ('load_state_dict(', 'zip(', 'requires_grad', 'no_grad')
_111 = ('parameters(', 'optim', 'Optim')
_112 = ('load_state_dict\\([\\w.]+\\.state_dict\\(\\)', 'zip\\([ \\t\\n]*[\\w.]+\\.(?:named_)?parameters\\(\\),', '\\.requires_grad(?:_\\(|\\s*=(?!=))', 'requires_grad[\\"\'](?<=[\\"\']requires_grad[\\"\'])', 'target\\w* = (?!target)[\\w.]+(?:\\.\\w+\\([^()\\n]*\\))*\\n', 'teacher\\w* = (?!teacher)[\\w.]+(?:\\.\\w+\\([^()\\n]*\\))*\\n', 'ref\\w* = (?!ref)[\\w.]+(?:\\.\\w+\\([^()\\n]*\\))*\\n', 'old\\w* = (?!old)[\\w.]+(?:\\.\\w+\\([^()\\n]*\\))*\\n', 'ema\\w* = (?!ema)[\\w.]+(?:\\.\\w+\\([^()\\n]*\\))*\\n', 'frozen\\w* = (?!frozen)[\\w.]+(?:\\.\\w+\\([^()\\n]*\\))*\\n', 'prior\\w* = (?!prior)[\\w.]+(?:\\.\\w+\\([^()\\n]*\\))*\\n', 'anchor\\w* = (?!anchor)[\\w.]+(?:\\.\\w+\\([^()\\n]*\\))*\\n', 'previous\\w* = (?!previous)[\\w.]+(?:\\.\\w+\\([^()\\n]*\\))*\\n')
_113 = ('load_state_dict\\([\\w.]+\\.state_dict\\(\\)', 'zip\\([ \\t\\n]*[\\w.]+\\.(?:named_)?parameters\\(\\),', 'optim\\w*\\.(?!lr_scheduler)[A-Z]\\w*\\(', 'Adam\\w*\\(', 'SGD\\w*\\(', 'RMSprop\\w*\\(', 'Adagrad\\w*\\(', 'Adadelta\\w*\\(', 'LBFGS\\w*\\(', 'Rprop\\w*\\(', 'Lion\\w*\\(', 'Muon\\w*\\(', 'Adafactor\\w*\\(', 'Lamb\\w*\\(', 'LAMB\\w*\\(', 'optim,', 'Optimizer\\)', 'Optimizer\\(')
_114 = ('load_state_dict\\([\\w.]+\\.state_dict\\(\\)', 'zip\\([ \\t\\n]*[\\w.]+\\.(?:named_)?parameters\\(\\),', '\\.step\\(')
_115 = ('Parameter(',)
_116 = ('Parameter\\((?:[^()]|\\((?:[^()]|\\((?:[^()]|\\([^()]*\\))*\\))*\\))*\\)\\s*\\.(?:to|cuda|half|double|bfloat16|type|type_as|requires_grad_)\\(',)
_117 = ('parameters(', '= [nn.', '=[nn.', 'append(nn.', '= [torch.nn.', 'append(torch.nn.')
_118 = ('Module',)
_119 = ('def forward',)
_120 = ('optim\\w*\\.(?!lr_scheduler)[A-Z]\\w*\\(', 'Adam\\w*\\(', 'SGD\\w*\\(', 'RMSprop\\w*\\(', 'Adagrad\\w*\\(', 'Adadelta\\w*\\(', 'LBFGS\\w*\\(', 'Rprop\\w*\\(', 'Lion\\w*\\(', 'Muon\\w*\\(', 'Adafactor\\w*\\(', 'Lamb\\w*\\(', 'LAMB\\w*\\(', 'optim,', 'Optimizer\\)', 'Optimizer\\(', 'self\\.[a-z]\\w* ?= ?\\[(?:torch\\.)?nn\\.[A-Z]', 'self\\.(?P<list>[a-z]\\w*) ?= ?(?:\\[\\]|list\\(\\))\\n(?:[^\\n]*\\n){0,12}?[^\\n]*self\\.(?P=list)\\.append\\((?:torch\\.)?nn\\.[A-Z]')
_121 = ('self\\.[a-z]\\w*(?:: [^=\\n]+)? ?= ?(?:\\[|\\{|\\(|list\\(|dict\\(|tuple\\()',)
_122 = ('transformers',)
_123 = ('LMHead', 'MaskedLM', 'ForCausalLM', 'ForConditional', 'ForPreTraining', 'DoubleHeads')
_124 = (LinePattern(word='LMHeadModel', pattern='[ \\t]*(?:return[ \\t]|\\w[\\w.]*(?:[ \\t]*:[^=\\n]+)?[ \\t]*=)[ \\t]*[\\w.]*LMHeadModel(?<!AutoModelForCausalLM)(?:\\.from|\\()'), LinePattern(word='DoubleHeadsModel', pattern='[ \\t]*(?:return[ \\t]|\\w[\\w.]*(?:[ \\t]*:[^=\\n]+)?[ \\t]*=)[ \\t]*[\\w.]*DoubleHeadsModel(?<!AutoModelForCausalLM)(?:\\.from|\\()'), LinePattern(word='MaskedLM', pattern='[ \\t]*(?:return[ \\t]|\\w[\\w.]*(?:[ \\t]*:[^=\\n]+)?[ \\t]*=)[ \\t]*[\\w.]*MaskedLM(?<!AutoModelForCausalLM)(?:\\.from|\\()'), LinePattern(word='ForConditionalGeneration', pattern='[ \\t]*(?:return[ \\t]|\\w[\\w.]*(?:[ \\t]*:[^=\\n]+)?[ \\t]*=)[ \\t]*[\\w.]*ForConditionalGeneration(?<!AutoModelForCausalLM)(?:\\.from|\\()'), LinePattern(word='ForPreTraining', pattern='[ \\t]*(?:return[ \\t]|\\w[\\w.]*(?:[ \\t]*:[^=\\n]+)?[ \\t]*=)[ \\t]*[\\w.]*ForPreTraining(?<!AutoModelForCausalLM)(?:\\.from|\\()'), LinePattern(word='ForCausalLM', pattern='[ \\t]*(?:return[ \\t]|\\w[\\w.]*(?:[ \\t]*:[^=\\n]+)?[ \\t]*=)[ \\t]*[\\w.]*ForCausalLM(?<!AutoModelForCausalLM)(?:\\.from|\\()'))
_125 = ('torchvision', 'timm', 'transformers')
_126 = ('torchvision', 'timm')
_127 = ('Embedding.from_pretrained(', 'EmbeddingBag.from_pretrained(')
_128 = ('Embedding\\.from_pretrained\\((?![^()]*\\bfreeze\\s*=)', 'EmbeddingBag\\.from_pretrained\\((?![^()]*\\bfreeze\\s*=)')
_129 = ('DistributedDataParallel', 'DDP')
_130 = ('FullyShardedDataParallel', 'FSDP')
_131 = ('compile(',)
_132 = ('torch\\.compile\\(', 'import compile')
_133 = ('peft',)
_134 = ('from_pretrained(',)
_135 = ('train(', 'optim', 'Optim', 'Adam', 'SGD')
_136 = ('PeftModel\\w*\\.from_pretrained\\(',)
_137 = ('get_peft_model', 'PeftModel')
_138 = ('get_peft_model\\(', 'is_trainable')
_139 = ('kbit_training\\(', '\\.requires_grad(?:_\\(|\\s*=(?!=))', 'requires_grad[\\"\'](?<=[\\"\']requires_grad[\\"\'])')
_140 = ('get_peft_model',)
_141 = ('Config(',)
_142 = ('For(?:Sequence|Token|Image|Audio|Video)Classification', 'ForMultipleChoice', 'ForQuestionAnswering', '= (?:torch\\.)?nn\\.')
_143 = ('mark_only_lora_as_trainable(',)
_144 = ('unload(',)
_145 = ('disable_adapter(', 'set_adapter(')
_146 = ('BaseFinetuning', 'BackboneFinetuning')
_147 = ('\\.freeze\\(', 'BackboneFinetuning\\(')
_148 = ('Trainer(',)
_149 = ('.train(',)

RULES = (
    IndexedRule('FZ101', Level.ERROR, 'never_lands.module_attribute_freeze', (_0, ), (_1, _2, )),
    IndexedRule('FZ102', Level.ERROR, 'never_lands.misspelled_requires_grad', (_3, ), (_4, )),
    IndexedRule('FZ103', Level.ERROR, 'never_lands.requires_grad_method_overwritten', (_5, ), (_6, )),
    IndexedRule('FZ104', Level.ERROR, 'never_lands.bound_method_as_condition', (_5, ), (_7, )),
    IndexedRule('FZ105', Level.ERROR, 'never_lands.comparison_instead_of_assignment', (_0, ), (_8, )),
    IndexedRule('FZ106', Level.ERROR, 'never_lands.flag_on_temporary', (_0, ), (_9, )),
    IndexedRule('FZ107', Level.ERROR, 'never_lands.flag_on_state_dict', (_0, _10, ), (_11, _12, )),
    IndexedRule('FZ108', Level.ERROR, 'never_lands.flag_on_iterator', (_0, _13, ), (_11, _14, )),
    IndexedRule('FZ109', Level.ERROR, 'never_lands.foreign_freeze_attribute', (_15, ), (_16, )),
    IndexedRule('FZ110', Level.ERROR, 'never_lands.discarded_switch', (_17, ), (_18, )),
    IndexedRule('FZ111', Level.WARNING, 'never_lands.eval_as_freeze', (_19, _20, _21, _22, ), (_23, )),
    IndexedRule('FZ112', Level.WARNING, 'never_lands.built_under_no_grad', (_24, _19, _25, ), (_23, )),
    IndexedRule('FZ113', Level.ERROR, 'never_lands.exhausted_parameter_iterator', (_19, ), (_26, )),
    IndexedRule('FZ114', Level.ERROR, 'never_lands.selector_matches_nothing', (_0, _27, _28, ), (_11, _29, _30, )),
    IndexedRule('FZ115', Level.WARNING, 'never_lands.ambiguous_selector', (_0, _31, _32, ), (_11, _29, _30, )),
    IndexedRule('FZ116', Level.WARNING, 'never_lands.children_miss_parameters', (_0, _33, _20, ), (_11, _23, )),
    IndexedRule('FZ117', Level.ERROR, 'never_lands.bool_typed_freeze_option', (_34, _35, _36, ), (_37, )),
    IndexedRule('FZ118', Level.ERROR, 'never_lands.non_boolean_flag', (_0, ), (_38, )),
    IndexedRule('FZ201', Level.ERROR, 'undone.blanket_unfreeze', (_0, ), (_11, _39, )),
    IndexedRule('FZ202', Level.ERROR, 'undone.parameter_replaced_after_freeze', (_0, _40, ), (_11, _41, )),
    IndexedRule('FZ203', Level.ERROR, 'undone.reparametrized_after_freeze', (_0, _42, ), (_11, _43, )),
    IndexedRule('FZ204', Level.ERROR, 'undone.rebuilt_after_freeze', (_0, _44, _22, ), (_11, )),
    IndexedRule('FZ205', Level.WARNING, 'undone.one_sided_toggle', (_0, _45, ), (_11, _23, )),
    IndexedRule('FZ301', Level.WARNING, 'optimizer.optimizer_before_freeze', (_0, _46, ), (_11, _23, )),
    IndexedRule('FZ302', Level.ERROR, 'optimizer.filtered_too_early', (_0, _46, ), (_11, _23, )),
    IndexedRule('FZ303', Level.INFO, 'optimizer.unfiltered_optimizer', (_0, _46, ), (_11, _23, )),
    IndexedRule('FZ304', Level.ERROR, 'optimizer.unfrozen_not_optimized', (_0, _46, ), (_11, _23, )),
    IndexedRule('FZ305', Level.ERROR, 'optimizer.stale_gradient', (_0, _47, _46, ), (_11, _23, )),
    IndexedRule('FZ306', Level.ERROR, 'optimizer.zeroed_gradient_freeze', (_48, _22, ), (_23, _49, )),
    IndexedRule('FZ307', Level.ERROR, 'optimizer.zero_lr_revived', (_22, _50, ), (_23, _51, )),
    IndexedRule('FZ308', Level.WARNING, 'optimizer.optimizer_ignores_missing_grad', (_52, _53, _54, ), (_55, )),
    IndexedRule('FZ309', Level.ERROR, 'optimizer.nothing_to_optimize', (_0, _46, ), (_11, _23, )),
    IndexedRule('FZ310', Level.ERROR, 'optimizer.duplicate_param_group', (_22, _56, ), (_23, _57, )),
    IndexedRule('FZ311', Level.WARNING, 'optimizer.frozen_role_in_optimizer', (_22, _58, ), (_23, _59, )),
    IndexedRule('FZ312', Level.WARNING, 'optimizer.trainable_not_optimized', (_60, _22, _61, ), (_23, _62, )),
    IndexedRule('FZ313', Level.WARNING, 'optimizer.clip_over_omitted', (_63, _46, ), (_23, _64, )),
    IndexedRule('FZ314', Level.ERROR, 'optimizer.misaligned_parameter_zip', (_0, _65, ), (_66, )),
    IndexedRule('FZ401', Level.WARNING, 'modes.frozen_batchnorm_drifts', (_0, _67, _68, _69, ), (_11, _70, _71, )),
    IndexedRule('FZ402', Level.WARNING, 'modes.eval_undone', (_21, _67, _72, _73, _74, ), (_75, _76, )),
    IndexedRule('FZ403', Level.WARNING, 'modes.wrong_batchnorm_knob', (_77, _0, ), (_78, _11, )),
    IndexedRule('FZ404', Level.WARNING, 'modes.teacher_follows_train', (_67, _0, _79, _69, _80, ), (_70, _71, )),
    IndexedRule('FZ405', Level.WARNING, 'modes.incomplete_batchnorm_check', (_81, _82, _21, ), (_83, _75, )),
    IndexedRule('FZ406', Level.WARNING, 'modes.forward_updated_buffer', (_84, _69, ), (_85, _86, _71, )),
    IndexedRule('FZ407', Level.WARNING, 'modes.cudnn_rnn_eval', (_87, _88, _21, ), (_89, _11, )),
    IndexedRule('FZ408', Level.INFO, 'modes.ema_buffers_forgotten', (_90, _19, _52, _91, ), (_92, _93, )),
    IndexedRule('FZ501', Level.ERROR, 'graph.gradient_path_cut', (_94, _25, _95, ), (_96, _97, _23, )),
    IndexedRule('FZ502', Level.ERROR, 'graph.nothing_trainable', (_0, _60, _52, _46, ), (_11, _23, )),
    IndexedRule('FZ503', Level.ERROR, 'graph.loss_made_leaf', (_0, _60, ), (_98, _99, )),
    IndexedRule('FZ504', Level.ERROR, 'graph.reentrant_checkpoint_frozen_input', (_100, _101, _102, ), (_103, _97, )),
    IndexedRule('FZ505', Level.ERROR, 'graph.inference_mode_features', (_104, _101, ), (_105, )),
    IndexedRule('FZ506', Level.ERROR, 'graph.flag_on_non_leaf', (_0, ), (_106, _107, )),
    IndexedRule('FZ601', Level.WARNING, 'surgery.head_replaced_after_unfreeze', (_0, ), (_11, _108, )),
    IndexedRule('FZ602', Level.ERROR, 'surgery.new_head_frozen', (_0, _46, ), (_11, _23, )),
    IndexedRule('FZ603', Level.ERROR, 'surgery.stale_optimizer', (_19, _46, _109, ), (_23, )),
    IndexedRule('FZ604', Level.ERROR, 'surgery.aliased_copy', (_110, _111, ), (_112, _113, _114, )),
    IndexedRule('FZ605', Level.ERROR, 'surgery.parameter_moved_at_birth', (_115, ), (_116, )),
    IndexedRule('FZ606', Level.WARNING, 'surgery.modules_in_plain_container', (_117, _118, _119, ), (_120, _121, )),
    IndexedRule('FZ607', Level.WARNING, 'surgery.tied_weights', (_0, _122, _123, ), (_11, _124, )),
    IndexedRule('FZ608', Level.WARNING, 'surgery.frozen_random_weights', (_0, _125, _52, ), (_11, _23, )),
    IndexedRule('FZ609', Level.ERROR, 'surgery.head_under_wrong_name', (_126, _46, _20, ), (_23, )),
    IndexedRule('FZ610', Level.WARNING, 'surgery.embedding_frozen_by_default', (_127, ), (_128, )),
    IndexedRule('FZ701', Level.ERROR, 'wrappers.freeze_after_ddp', (_0, _129, _60, ), (_11, )),
    IndexedRule('FZ702', Level.ERROR, 'wrappers.fsdp_mixed_flags', (_0, _130, ), (_11, )),
    IndexedRule('FZ703', Level.INFO, 'wrappers.flip_after_compile', (_0, _131, _60, ), (_11, _132, )),
    IndexedRule('FZ801', Level.ERROR, 'adapters.adapter_loaded_frozen', (_133, _134, _135, ), (_136, )),
    IndexedRule('FZ802', Level.ERROR, 'adapters.kbit_prepare_after_adapters', (_133, _137, _135, ), (_138, _139, )),
    IndexedRule('FZ803', Level.WARNING, 'adapters.new_head_not_saved', (_133, _140, _141, _135, ), (_142, )),
    IndexedRule('FZ804', Level.ERROR, 'adapters.lora_marker_one_way', (_143, _0, ), (_11, )),
    IndexedRule('FZ805', Level.ERROR, 'adapters.merged_stays_frozen', (_133, _144, _137, _135, ), ()),
    IndexedRule('FZ806', Level.WARNING, 'adapters.adapter_switch_unfreezes', (_133, _145, _46, ), ()),
    IndexedRule('FZ811', Level.WARNING, 'frameworks.lightning_train_bn', (_146, _22, ), (_147, )),
    IndexedRule('FZ812', Level.ERROR, 'frameworks.trainer_unfreeze', (_0, _148, _149, ), (_11, _122, )),
)
