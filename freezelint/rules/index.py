"""What must be known of the rules before they are loaded.

Written by ``tools/index_rules.py``.
"""

# fmt: off

from __future__ import annotations

from freezelint.analysis.search import LinePattern
from freezelint.findings import Level
from freezelint.rules.rule import IndexedRule

_0 = ('requires_grad',)
_1 = ('\\.requires_grad\\s*=(?!=)', '\\"requires_grad\\"', "'requires_grad'")
_2 = (LinePattern(word='.requires_grad', pattern='(?:(?<!parameters\\(\\):\\n)[ \\t]*(?P<name>\\w+)|[^\\n]*(?:[:;][ \\t]*\\w+|\\.\\w+|[\\])]))\\.requires_grad\\s*=(?!=)', unless='\\b{name} = (?:torch\\.(?!compile\\(|load\\()\\w+\\(|[\\w.]+\\[[^\\]\\n]*,)|\\b{name}\\[(?:[^\\]\\n]*:[^\\]\\n]*,|[^\\]\\n]*,[^\\]\\n]*:)'), '\\"requires_grad\\"', "'requires_grad'")
_3 = ('require_g', 'required_g', 'requires_grads', 'requires_grade', 'requires_gradi', 'requires_grad_grad', 'requires_gard', 'requires_gred', 'requires_grd', 'requeires_g', 'requiers_g', 'requies_g', 'requirs_g', 'requre_g', 'requres_g', 'requries_g', 'reqires_g', 'reqiures_g', 'request_grad', 'requiresgrad', 'reuires_g', 'requires_Grad', 'require_Grad')
_4 = ('re(?!quires_grad_?\\b)(?<!\\wre)(?<!def re)[a-z]{3,8}_[gG][a-z_]*(?:\\s*=(?!=)|\\(|[\\"\'])', '\\.requiresgrad_?(?:\\s*=(?!=)|\\()')
_5 = ('requires_grad_',)
_6 = ('\\.requires_grad_\\s*=(?!=)', 'requires_grad_[\\"\'](?<=[\\"\']requires_grad_[\\"\'])')
_7 = ('\\.requires_grad_(?!\\w|\\s*[(=][^=])',)
_8 = ('\\.requires_grad\\s*(?:==|is\\b)',)
_9 = ('\\.data\\.requires_grad', '\\.data\\[[^\\]\\n]*\\]\\.requires_grad', '\\.data[ \\t]*\\n(?:[^\\n]*\\n){0,2}?[ \\t]*\\w+\\.requires_grad(?:\\s*=\\s*False|_\\()', '\\.data for [^\\n]*\\n(?:[^\\n]*:\\n)?[ \\t]*\\w+\\.requires_grad', '\\.detach\\(\\)[ \\t]*\\n(?:[^\\n]*\\n){0,2}?[ \\t]*\\w+\\.requires_grad(?:\\s*=\\s*False|_\\()', '\\.detach\\(\\) for [^\\n]*\\n(?:[^\\n]*:\\n)?[ \\t]*\\w+\\.requires_grad', 'setattr\\([\\w.]*\\.(?:data|detach\\(\\)), *[\\"\']requires_grad', 'freez\\w*\\([\\w.]*\\.(?:data|detach\\(\\))[,)]', LinePattern(word=').requires_grad', pattern='[^\\n]*\\.(?:detach|clone|cpu|cuda|to|half|float|double|bfloat16|type)\\([^()\\n]*\\)\\.requires_grad', unless=''))
_10 = ('state_dict(',)
_11 = ('\\.requires_grad(?:_\\((?![\\w.]+\\.requires_grad\\))|\\s*=(?!=)(?! ?[\\w.]+\\.requires_grad\\n))', '\\"requires_grad\\"', "'requires_grad'")
_12 = ('state_dict\\([^()\\n]*\\)\\.(?:items|values)\\(\\)', 'state_dict\\([^()\\n]*\\)\\[', 'state_dict\\(\\)[ \\t]*(?:#.*)?\\n')
_13 = ('parameters', 'children', 'modules')
_14 = ('parameters\\([^()]*\\)\\s*\\.requires_grad', 'children\\([^()]*\\)\\s*\\.requires_grad', 'modules\\([^()]*\\)\\s*\\.requires_grad', 'setattr\\([^\\n]*(?:parameters|children|modules)\\(\\), *[\\"\']requires_grad', 'params\\.requires_grad', 'parameters\\.requires_grad', 'layers\\.requires_grad', LinePattern(word='parameters()\n', pattern='[^\\n]*=\\s*[\\w.\\[\\]]+\\.(?:named_)?parameters\\(\\)\\n', unless=''), LinePattern(word='children()\n', pattern='[^\\n]*=\\s*[\\w.\\[\\]]+\\.(?:named_)?children\\(\\)\\n', unless=''), LinePattern(word='modules()\n', pattern='[^\\n]*=\\s*[\\w.\\[\\]]+\\.(?:named_)?modules\\(\\)\\n', unless=''), '=\\s*(?:list|filter|(?:itertools\\.)?chain)\\((?:[^\\n]*\\n){0,2}?[^\\n]*(?:parameters|children|modules)\\(')
_15 = ('.trainable', '.stop_gradient', '.frozen', '.freeze')
_16 = ('\\.(?<!self\\.)trainable\\s*=(?!=)', '\\.(?<!self\\.)stop_gradient\\s*=(?!=)', '\\.frozen\\s*=(?!=)\\s*True', '\\.freeze\\s*=(?!=)\\s*True')
_17 = ('no_grad', 'inference_mode', 'enable_grad', '.eval', '.train', 'requires_grad', '.detach()')
_18 = (LinePattern(word='no_grad\n', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*[\\w.]*no_grad(?:\\(\\))?[ \\t]*[\\n#;]', unless=''), LinePattern(word='no_grad ', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*[\\w.]*no_grad(?:\\(\\))?[ \\t]*[\\n#;]', unless=''), LinePattern(word='no_grad;', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*[\\w.]*no_grad(?:\\(\\))?[ \\t]*[\\n#;]', unless=''), LinePattern(word='no_grad()\n', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*[\\w.]*no_grad(?:\\(\\))?[ \\t]*[\\n#;]', unless=''), LinePattern(word='no_grad() ', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*[\\w.]*no_grad(?:\\(\\))?[ \\t]*[\\n#;]', unless=''), LinePattern(word='no_grad();', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*[\\w.]*no_grad(?:\\(\\))?[ \\t]*[\\n#;]', unless=''), LinePattern(word='inference_mode\n', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*[\\w.]*inference_mode(?:\\(\\))?[ \\t]*[\\n#;]', unless=''), LinePattern(word='inference_mode ', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*[\\w.]*inference_mode(?:\\(\\))?[ \\t]*[\\n#;]', unless=''), LinePattern(word='inference_mode;', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*[\\w.]*inference_mode(?:\\(\\))?[ \\t]*[\\n#;]', unless=''), LinePattern(word='inference_mode()\n', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*[\\w.]*inference_mode(?:\\(\\))?[ \\t]*[\\n#;]', unless=''), LinePattern(word='inference_mode() ', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*[\\w.]*inference_mode(?:\\(\\))?[ \\t]*[\\n#;]', unless=''), LinePattern(word='inference_mode();', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*[\\w.]*inference_mode(?:\\(\\))?[ \\t]*[\\n#;]', unless=''), LinePattern(word='enable_grad\n', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*[\\w.]*enable_grad(?:\\(\\))?[ \\t]*[\\n#;]', unless=''), LinePattern(word='enable_grad ', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*[\\w.]*enable_grad(?:\\(\\))?[ \\t]*[\\n#;]', unless=''), LinePattern(word='enable_grad;', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*[\\w.]*enable_grad(?:\\(\\))?[ \\t]*[\\n#;]', unless=''), LinePattern(word='enable_grad()\n', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*[\\w.]*enable_grad(?:\\(\\))?[ \\t]*[\\n#;]', unless=''), LinePattern(word='enable_grad() ', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*[\\w.]*enable_grad(?:\\(\\))?[ \\t]*[\\n#;]', unless=''), LinePattern(word='enable_grad();', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*[\\w.]*enable_grad(?:\\(\\))?[ \\t]*[\\n#;]', unless=''), LinePattern(word='no_grad:', pattern='[^\\n]*\\bwith\\b[^\\n]*\\bno_grad\\s*:', unless=''), LinePattern(word='no_grad :', pattern='[^\\n]*\\bwith\\b[^\\n]*\\bno_grad\\s*:', unless=''), LinePattern(word='inference_mode:', pattern='[^\\n]*\\bwith\\b[^\\n]*\\binference_mode\\s*:', unless=''), LinePattern(word='inference_mode :', pattern='[^\\n]*\\bwith\\b[^\\n]*\\binference_mode\\s*:', unless=''), LinePattern(word='enable_grad:', pattern='[^\\n]*\\bwith\\b[^\\n]*\\benable_grad\\s*:', unless=''), LinePattern(word='enable_grad :', pattern='[^\\n]*\\bwith\\b[^\\n]*\\benable_grad\\s*:', unless=''), '= torch\\.no_grad[ \\t]*[\\n#;]', '= torch\\.inference_mode[ \\t]*[\\n#;]', '= torch\\.enable_grad[ \\t]*[\\n#;]', LinePattern(word='.eval\n', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*(?!return\\b)[^\\n=#\\"\']*\\.eval[ \\t]*[\\n#;]', unless=''), LinePattern(word='.eval ', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*(?!return\\b)[^\\n=#\\"\']*\\.eval[ \\t]*[\\n#;]', unless=''), LinePattern(word='.eval;', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*(?!return\\b)[^\\n=#\\"\']*\\.eval[ \\t]*[\\n#;]', unless=''), LinePattern(word='.train\n', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*(?!return\\b)[^\\n=#\\"\']*\\.train[ \\t]*[\\n#;]', unless=''), LinePattern(word='.train ', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*(?!return\\b)[^\\n=#\\"\']*\\.train[ \\t]*[\\n#;]', unless=''), LinePattern(word='.train;', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*(?!return\\b)[^\\n=#\\"\']*\\.train[ \\t]*[\\n#;]', unless=''), LinePattern(word='.requires_grad_\n', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*(?!return\\b)[^\\n=#\\"\']*\\.requires_grad_[ \\t]*[\\n#;]', unless=''), LinePattern(word='.requires_grad_ ', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*(?!return\\b)[^\\n=#\\"\']*\\.requires_grad_[ \\t]*[\\n#;]', unless=''), LinePattern(word='.requires_grad_;', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*(?!return\\b)[^\\n=#\\"\']*\\.requires_grad_[ \\t]*[\\n#;]', unless=''), LinePattern(word='.detach\n', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*(?!return\\b)[^\\n=#\\"\']*\\.detach[ \\t]*[\\n#;]', unless=''), LinePattern(word='.detach ', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*(?!return\\b)[^\\n=#\\"\']*\\.detach[ \\t]*[\\n#;]', unless=''), LinePattern(word='.detach;', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*(?!return\\b)[^\\n=#\\"\']*\\.detach[ \\t]*[\\n#;]', unless=''), '\\.eval for ', '\\.train for ', '\\.requires_grad_ for ', LinePattern(word='.detach()', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*\\w[\\w.]*(?:\\[[^\\]\\n]*\\])?\\.detach\\(\\)[ \\t]*[\\n#;]', unless=''), LinePattern(word='map(', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*map\\([^\\n]*requires_grad', unless=''), LinePattern(word='requires_grad_(', pattern='(?<![(\\[{,=+*/\\\\-]\\n)(?:[^\\n]*[;:])?[ \\t]*\\([\\w.]+\\.requires_grad_\\([^()\\n]*\\) for ', unless=''))
_19 = ('parameters(', 'TrainingArguments')
_20 = ('step(', 'configure_optimizers', 'Trainer(')
_21 = ('eval(', 'train(False', 'train(mode=False')
_22 = ('torch.optim', 'optim.', 'optim,', 'ptimizer', 'Adam', 'SGD', 'Trainer(')
_23 = ('optim\\w*\\.(?!lr_scheduler)[A-Z]\\w*\\(', 'Adam(?<!class Adam)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'SGD(?<!class SGD)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'RMSprop(?<!class RMSprop)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adagrad(?<!class Adagrad)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adadelta(?<!class Adadelta)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'LBFGS(?<!class LBFGS)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Rprop(?<!class Rprop)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Lion(?<!class Lion)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Muon(?<!class Muon)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adafactor(?<!class Adafactor)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'LAMB(?<!class LAMB)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Lamb\\((?<!class Lamb\\()', 'optim\\w*\\.(?!lr_scheduler|Optimizer\\b)[A-Z]\\w*(?=\\s*[,}\\n)]| if )', 'Adam(?<=[:=] Adam)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'SGD(?<=[:=] SGD)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'RMSprop(?<=[:=] RMSprop)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'Lion(?<=[:=] Lion)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'Muon(?<=[:=] Muon)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', LinePattern(word='optim,', pattern='[^\\n]*getattr\\([\\w.]*optim,', unless=''), LinePattern(word='Optimizer)', pattern='class (\\w+)\\([\\w.]*Optimizer\\)[\\s\\S]*?(?<!\\w)\\1\\(', unless=''), 'Optimizer\\((?![\\w.]*optimizer\\b)', 'Trainer\\((?![\\w., \\[\\]]*\\):\\n)')
_24 = ('no_grad', 'inference_mode', 'set_grad_enabled')
_25 = ('parameters(',)
_26 = ('backward(', 'training_step')
_27 = ('optim\\w*\\.(?!lr_scheduler)[A-Z]\\w*\\(', 'Adam(?<!class Adam)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'SGD(?<!class SGD)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'RMSprop(?<!class RMSprop)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adagrad(?<!class Adagrad)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adadelta(?<!class Adadelta)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'LBFGS(?<!class LBFGS)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Rprop(?<!class Rprop)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Lion(?<!class Lion)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Muon(?<!class Muon)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adafactor(?<!class Adafactor)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'LAMB(?<!class LAMB)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Lamb\\((?<!class Lamb\\()', 'optim\\w*\\.(?!lr_scheduler|Optimizer\\b)[A-Z]\\w*(?=\\s*[,}\\n)]| if )', 'Adam(?<=[:=] Adam)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'SGD(?<=[:=] SGD)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'RMSprop(?<=[:=] RMSprop)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'Lion(?<=[:=] Lion)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'Muon(?<=[:=] Muon)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', LinePattern(word='optim,', pattern='[^\\n]*getattr\\([\\w.]*optim,', unless=''), LinePattern(word='Optimizer)', pattern='class (\\w+)\\([\\w.]*Optimizer\\)[\\s\\S]*?(?<!\\w)\\1\\(', unless=''), 'Optimizer\\((?![\\w.]*optimizer\\b)')
_28 = ('= filter\\((?:[^\\n]*\\n){0,3}?[^\\n]*parameters\\(', '= map\\((?:[^\\n]*\\n){0,3}?[^\\n]*parameters\\(', '= zip\\((?:[^\\n]*\\n){0,3}?[^\\n]*parameters\\(', '=filter\\((?:[^\\n]*\\n){0,3}?[^\\n]*parameters\\(', '=map\\((?:[^\\n]*\\n){0,3}?[^\\n]*parameters\\(', '=zip\\((?:[^\\n]*\\n){0,3}?[^\\n]*parameters\\(', LinePattern(word='iter(', pattern='[^\\n]*=\\s*iter\\([^\\n]*parameters\\(', unless=''), LinePattern(word='chain', pattern='[^\\n]*=\\s*(?:itertools\\.)?chain(?:\\.from_iterable)?\\((?:[^\\n]*\\n){0,3}?[^\\n]*parameters\\(', unless=''), LinePattern(word='parameters()', pattern='[^\\n]*(?:=\\s*[\\w.\\[\\]]+(?:\\(\\))?\\.(?:named_)?parameters\\(\\)\\s*(?:#.*)?\\n| = [\\w.\\[\\]]+\\.(?:named_)?parameters\\(\\)(?:,| if )|[\\"\'](?!params[\\"\'])\\w+[\\"\']: ?[\\w.]+\\.(?:named_)?parameters\\(\\)| = \\{[\\"\']params[\\"\']: ?[\\w.]+\\.parameters\\(\\))', unless=''), LinePattern(word=' = filter(', pattern='[^\\n]* = filter\\(lambda \\w+: \\w+\\.requires_grad, ?\\w+\\)', unless=''), LinePattern(word='filter(lambda', pattern='[^\\n]*\\b(?!clip_grad)[a-z]+_[a-z_]*\\((?:[\\w.]+, ?)*(?:\\w+=)?filter\\(lambda', unless=''), LinePattern(word='_optimizer(', pattern='[^\\n]*_optimizer\\((?:[\\w.]+, ?)*(?:\\w+=)?[\\w.]+\\.parameters\\(\\)[,)]', unless=''), LinePattern(word=' = param', pattern='[ \\t]*self\\.\\w+ = param\\w*s[ \\t]*\\n', unless=''), LinePattern(word='yield ', pattern='[ \\t]*yield (?:(?:p|param|parameter|weight)[ \\t]*\\n|from [^\\n]*\\.parameters\\()', unless=''), '= \\((?:[^\\n]*\\n){0,2}?[^\\n]*\\sfor\\s[^\\n]*parameters\\(', '=\\((?:[^\\n]*\\n){0,2}?[^\\n]*\\sfor\\s[^\\n]*parameters\\(', 'return \\((?:[^\\n]*\\n){0,2}?[^\\n]*\\sfor\\s[^\\n]*parameters\\(', 'return filter\\([^\\n]*parameters\\(', LinePattern(word=' for ', pattern='(?![ \\t]*return\\b)[^\\n]* for \\w+ in (?P<name>\\w+)[:)\\]][^\\n]*\\n(?:[^\\n]+\\n){0,5}?[^\\n]* for \\w+ in (?P=name)[:)\\]]', unless='\\A(?![\\s\\S]*\\bdef \\w+\\((?:self, )?{name}\\b)'))
_29 = ('named_parameters(', 'named_children(', 'named_modules(')
_30 = ('torchvision', 'from_pretrained(', 'create_model(', 'Sequential(', 'Module)', 'DataParallel(', 'torch.compile(', 'get_peft_model(')
_31 = ('startswith\\(', 'endswith\\(', '\\.match\\(', '\\.search\\(', 'map\\(\\w+\\.(?:startswith|endswith|__contains__),', '\\" (?:not )?in \\w', "' (?:not )?in \\w", '% \\w+ in n', '\\) in n', ' in \\w+ for ', LinePattern(word='.named_', pattern='[^\\n]*\\bfor (?:\\w+, ?)?\\(?(?P<name>\\w+), ?\\w+\\)? in [^\\n]*\\.named_(?:[^\\n]*\\n){0,20}?[^\\n]*(?:\\bin (?P=name)\\b|\\b(?P=name) (?:not )?in |\\b(?:if|and|or|not)\\b[^\\n]*\\((?P=name)[,)])', unless=''), LinePattern(word='.named_', pattern='(?![^\\n]*\\bfor (?:\\w+, ?)?\\(?\\w+, ?\\w+\\)? in )[^\\n]*\\.named_(?:[^\\n]*\\n){0,20}?[^\\n]*(?:if|=|_\\() ?(?:not )?\\w+ (?:not )?in [\\w({\\[]', unless=''), '\\.split\\([\\"\']\\.[\\"\'](?:, ?1)?\\)\\[0\\] (?:[=!]= |(?:not )?in )', 'name(?<!model_name)(?<!class_name)(?<!__name) [=!]= ', ' n [=!]= ', '\\(n [=!]= ')
_32 = ('in [\\w.\\[\\]()]{1,80}\\.named_', '\\([\\w.\\[\\]()]{1,80}\\.named_')
_33 = ('named_parameters(', 'named_modules(', 'named_children(', 'range(1,')
_34 = ('torchvision', 'Sequential(', 'Module)', 'ayer.{', 'ayer.1', 'ayer.%', 'ayer."', "ayer.'", 'ayers.{', 'ayers.1', 'ayers.%', 'ayers."', "ayers.'", 'lock.{', 'lock.1', 'lock.%', 'lock."', "lock.'", 'locks.{', 'locks.1', 'locks.%', 'locks."', "locks.'", 'h.{', 'h.1', 'h.%', 'h."', "h.'", 'range(1,')
_35 = ('startswith\\(', 'endswith\\(', '\\.match\\(', '\\.search\\(', 'map\\(\\w+\\.(?:startswith|endswith|__contains__),', '\\" (?:not )?in \\w', "' (?:not )?in \\w", '% \\w+ in n', '\\) in n', ' in \\w+ for ', LinePattern(word='.named_', pattern='[^\\n]*\\bfor (?:\\w+, ?)?\\(?(?P<name>\\w+), ?\\w+\\)? in [^\\n]*\\.named_(?:[^\\n]*\\n){0,20}?[^\\n]*(?:\\bin (?P=name)\\b|\\b(?P=name) (?:not )?in |\\b(?:if|and|or|not)\\b[^\\n]*\\((?P=name)[,)])', unless=''), LinePattern(word='.named_', pattern='(?![^\\n]*\\bfor (?:\\w+, ?)?\\(?\\w+, ?\\w+\\)? in )[^\\n]*\\.named_(?:[^\\n]*\\n){0,20}?[^\\n]*(?:if|=|_\\() ?(?:not )?\\w+ (?:not )?in [\\w({\\[]', unless=''), '\\.split\\([\\"\']\\.[\\"\'](?:, ?1)?\\)\\[0\\] (?:[=!]= |(?:not )?in )', 'name(?<!model_name)(?<!class_name)(?<!__name) [=!]= ', ' n [=!]= ', '\\(n [=!]= ', 'range\\((?<!arange\\()1, ?(?:1 ?\\+|[^,\\n]{1,40}\\+ ?1\\))')
_36 = ('in [\\w.\\[\\]()]{1,80}\\.named_', '\\([\\w.\\[\\]()]{1,80}\\.named_', 'range\\((?<!arange\\()1, ?(?:1 ?\\+|[^,\\n]{1,40}\\+ ?1\\))')
_37 = ('children(',)
_38 = ('step(', 'configure_optimizers')
_39 = ('\\.requires_grad_\\((?!(?:requires_grad=)?True\\)|\\)|[\\w.]+\\.requires_grad\\))', '\\.requires_grad\\s*=(?!=)(?!\\s*True[ \\t]*[\\n#;]| ?[\\w.]+\\.requires_grad\\n)', '\\"requires_grad\\"', "'requires_grad'", '\\.freeze\\(\\)', '\\.freeze_(?:feature|base|encoder)\\w*\\(\\)', '\\._freeze_parameters\\(\\)')
_40 = ('add_argument(',)
_41 = ('type=bool', 'type = bool')
_42 = ('freez', 'frozen', 'tun', 'train', 'fix', 'lock', 'update', 'static')
_43 = (LinePattern(word='type=bool', pattern='[^#\\n]*type=bool\\b', unless=''), LinePattern(word='type = bool', pattern='[^#\\n]*type = bool\\b', unless=''))
_44 = ('requires_grad(?:_\\(|[\\"\'],|\\s*=(?!=))\\s*(?:requires_grad\\s*=\\s*)?(?:\\d|None|[\\"\']|(?:int|len|sum|str)\\(|\\w+\\[|\\[|\\{|\\w+\\.(?:count|find|lower|upper|strip|match|search|findall)\\(|(?!self\\.)\\w+\\.(?!requires_grad)\\w+\\)?\\s*(?:#.*)?\\n)', LinePattern(word='requires_grad', pattern='[^\\n]*requires_grad(?:_\\(|[\\"\'],|\\s*=(?!=))\\s*(?:requires_grad\\s*=\\s*)?(?!True|False|not\\b|requires_grad)(?P<name>\\w+)\\)?\\s*(?:#.*)?\\n', unless='\\b{name}(?:: bool\\b| ?= ?(?:True|False|not|any|all|bool)\\b)'))
_45 = ('optim\\w*\\.(?!lr_scheduler)[A-Z]\\w*\\(', 'Adam(?<!class Adam)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'SGD(?<!class SGD)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'RMSprop(?<!class RMSprop)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adagrad(?<!class Adagrad)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adadelta(?<!class Adadelta)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'LBFGS(?<!class LBFGS)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Rprop(?<!class Rprop)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Lion(?<!class Lion)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Muon(?<!class Muon)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adafactor(?<!class Adafactor)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'LAMB(?<!class LAMB)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Lamb\\((?<!class Lamb\\()', 'optim\\w*\\.(?!lr_scheduler|Optimizer\\b)[A-Z]\\w*(?=\\s*[,}\\n)]| if )', 'Adam(?<=[:=] Adam)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'SGD(?<=[:=] SGD)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'RMSprop(?<=[:=] RMSprop)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'Lion(?<=[:=] Lion)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'Muon(?<=[:=] Muon)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', LinePattern(word='optim,', pattern='[^\\n]*getattr\\([\\w.]*optim,', unless=''), LinePattern(word='Optimizer)', pattern='class (\\w+)\\([\\w.]*Optimizer\\)[\\s\\S]*?(?<!\\w)\\1\\(', unless=''), 'Optimizer\\((?![\\w.]*optimizer\\b)', '\\.backward\\(', 'Trainer\\((?![\\w., \\[\\]]*\\):\\n)')
_46 = ('Parameter(', 'register_parameter')
_47 = (LinePattern(word='Parameter(', pattern='[^\\n]*\\.(?<!self\\.)\\w+\\s*=\\s*(?:torch\\.)?(?:nn\\.)?(?:parameter\\.)?Parameter\\(', unless=''), LinePattern(word='Parameter(', pattern='[ \\t]*self\\.(\\w+)\\s*=\\s*(?:torch\\.)?(?:nn\\.)?Parameter\\((?:[^\\n]*self\\.\\1\\b|(?!torch\\b)[A-Za-z_]\\w*(?:\\)|\\.(?:permute|reshape|flatten|view|transpose|contiguous|clone|detach|squeeze|unsqueeze)\\())', unless=''), 'register_parameter\\(', 'setattr\\(')
_48 = ('weight_norm', 'remove_spectral_norm')
_49 = ('torch.optim', 'optim.', 'optim,', 'ptimizer', 'Adam', 'SGD')
_50 = ('.step(',)
_51 = ('requires_grad', 'freeze_feature_encoder(', 'freeze_feature_extractor(', 'freeze_base_model(', 'freeze_encoder(', '_freeze_parameters(')
_52 = ('torch.optim', 'optim.', 'optim,', 'ptimizer', 'Adam', 'SGD', 'RMSprop', 'Adagrad', 'LBFGS', 'Lion', 'Muon')
_53 = ('requires_grad', '.unfreeze(')
_54 = ('\\.requires_grad(?:_\\((?![\\w.]+\\.requires_grad\\))|\\s*=(?!=)(?! ?[\\w.]+\\.requires_grad\\n))', '\\"requires_grad\\"', "'requires_grad'", '\\.unfreeze\\(\\)')
_55 = ('step', 'backward')
_56 = ('register_hook', '.grad')
_57 = ('register_hook\\(', '\\.grad\\b')
_58 = ('OneCycleLR', 'CyclicLR', 'CosineAnnealing', 'SWALR', 'Rprop', 'param_groups')
_59 = ('lr[\\"\']\\s*:\\s*0(?:\\.0*)?[\\s,})]', 'lr\\s*=\\s*0(?:\\.0*)?[\\s,})]', 'lr\\s*:\\s*float\\s*=\\s*0(?:\\.0*)?\\s', LinePattern(word='LR', pattern='[ \\t]*[\\w.]*(?:LR|lrs)\\w* ?= ?\\{[^\\n]*: 0(?:\\.0*)?[\\s,}]', unless=''), LinePattern(word='lrs', pattern='[ \\t]*[\\w.]*(?:LR|lrs)\\w* ?= ?\\{[^\\n]*: 0(?:\\.0*)?[\\s,}]', unless=''), 'lr[\\"\'],[^\\n]*\\bdefault\\s*=\\s*0(?:\\.0*)?[\\s,)]')
_60 = ('step(',)
_61 = ('param_groups',)
_62 = ('_(', '*=', '-=', '+=', '.data = ')
_63 = ('def step\\(',)
_64 = (LinePattern(word='for ', pattern='[ \\t]*for [^\\n]* in (?![^\\n]*param_groups)[^\\n]*:[ \\t]*(?:#[^\\n]*)?\\n(?!(?:[ \\t]*#[^\\n]*\\n)*[ \\t]*if \\w+\\.grad is None:\\s*continue)', unless=''), '_foreach_')
_65 = ('params', 'add_param_group')
_66 = ('add_param_group\\(', 'params[\\"\']\\s*:', 'params(?<![\\w.]params)\\s*=')
_67 = ('load_state_dict', 'zip(', 'kl_div', 'KLDivLoss')
_68 = ('load_state_dict\\([^\\n()]+\\.state_dict\\(', 'zip\\([^\\n()]+\\.parameters\\(', 'kl_div\\(', 'KLDivLoss\\(')
_69 = ('backward', 'training_step')
_70 = ('Parameter(', 'nn.')
_71 = ('Module\\)', 'Sequential\\):', '= nn\\.(?:Linear|Conv\\dd|Embedding|Sequential)\\(')
_72 = ('clip_grad_norm',)
_73 = ('clip_grad_norm_?\\(',)
_74 = ('zip(',)
_75 = (LinePattern(word='.requires_grad', pattern='(?![ \\t]*(?:el)?if\\b)(?![^\\n]*\\b(?:sum|any|all|len|next)\\()[^\\n]*\\b(?:if|and|or|not|lambda|while)\\b[^\\n]*\\.requires_grad\\s*(?:[\\]),:]|and\\b|or\\b|is\\b|==)', unless=''), LinePattern(word='.requires_grad', pattern='[ \\t]*(?:el)?if\\b[^\\n]*\\.requires_grad\\s*(?:[\\]),:]|and\\b|or\\b|is\\b|==)(?:[^\\n]*\\n){0,6}?[^\\n]*(?:append\\(|extend\\(|continue\\b|yield\\b|\\+= \\[|\\]\\s*=)', unless=''))
_76 = ('train(', 'training_step')
_77 = ('BatchNorm', 'InstanceNorm', 'torchvision', 'timm', 'segmentation_models', 'hub.load', 'ResNet', 'resnet', 'RegNet', 'regnet', 'MobileN', 'mobilen', 'MobileV', 'mobilev', 'EfficientN', 'efficientn', 'Levit', 'levit', 'Cvt', 'cvt', 'SwiftF', 'onformer')
_78 = ('step(', 'backward(', 'training_step', 'Trainer(')
_79 = ('\\.train\\((?:True|mode=True|resume_from_checkpoint=.*)?\\)(?!`)', '\\.train\\((?<!super\\(\\)\\.train\\()(?!False)\\w+\\)', 'def training_step\\(')
_80 = ('\\.backward\\(', '\\.step\\(', 'def training_step\\(', 'Trainer\\((?![\\w., \\[\\]]*\\):\\n)')
_81 = ('train(',)
_82 = ('step(', 'backward(', 'Trainer(')
_83 = ('requires_grad', 'BatchNorm', 'Optim', 'optim')
_84 = ('BatchNorm', 'InstanceNorm', 'torchvision', 'timm', 'segmentation_models', 'hub.load', 'ResNet', 'resnet', 'RegNet', 'regnet', 'MobileN', 'mobilen', 'MobileV', 'mobilev', 'EfficientN', 'efficientn', 'Levit', 'levit', 'Cvt', 'cvt', 'SwiftF', 'onformer', 'ropout', 'Transformer', 'MultiheadAttention', 'requires_grad')
_85 = ('\\.eval\\(\\)', '\\.train\\(False\\)', '\\.train\\(mode=False\\)')
_86 = ('\\.train\\((?:True|mode=True|resume_from_checkpoint=.*)?\\)(?!`)', '\\.train\\((?<!super\\(\\)\\.train\\()(?!False)\\w+\\)')
_87 = ('\\.requires_grad_\\((?!(?:requires_grad=)?True\\)|\\)|[\\w.]+\\.requires_grad\\))', '\\.requires_grad\\s*=(?!=)(?!\\s*True[ \\t]*[\\n#;]| ?[\\w.]+\\.requires_grad\\n)', '\\"requires_grad\\"', "'requires_grad'", '\\.freeze\\(\\)', '\\.freeze_(?:feature|base|encoder)\\w*\\(\\)', '\\._freeze_parameters\\(\\)', 'optim\\w*\\.(?!lr_scheduler)[A-Z]\\w*\\(', 'Adam(?<!class Adam)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'SGD(?<!class SGD)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'RMSprop(?<!class RMSprop)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adagrad(?<!class Adagrad)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adadelta(?<!class Adadelta)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'LBFGS(?<!class LBFGS)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Rprop(?<!class Rprop)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Lion(?<!class Lion)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Muon(?<!class Muon)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adafactor(?<!class Adafactor)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'LAMB(?<!class LAMB)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Lamb\\((?<!class Lamb\\()', 'optim\\w*\\.(?!lr_scheduler|Optimizer\\b)[A-Z]\\w*(?=\\s*[,}\\n)]| if )', 'Adam(?<=[:=] Adam)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'SGD(?<=[:=] SGD)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'RMSprop(?<=[:=] RMSprop)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'Lion(?<=[:=] Lion)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'Muon(?<=[:=] Muon)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', LinePattern(word='optim,', pattern='[^\\n]*getattr\\([\\w.]*optim,', unless=''), LinePattern(word='Optimizer)', pattern='class (\\w+)\\([\\w.]*Optimizer\\)[\\s\\S]*?(?<!\\w)\\1\\(', unless=''), 'Optimizer\\((?![\\w.]*optimizer\\b)', 'BatchNorm', 'get_peft_model\\(')
_88 = ('track_running_stats', '.momentum', 'momentum"', "momentum'")
_89 = ('\\.track_running_stats\\s*=\\s*False', '\\.momentum\\s*=\\s*0(?:\\.0*)?\\s', 'track_running_stats[\\"\'],\\s*False', 'momentum[\\"\'],\\s*0(?:\\.0*)?\\)')
_90 = ('BatchNorm', 'InstanceNorm', 'torchvision', 'timm', 'segmentation_models', 'hub.load', 'ResNet', 'resnet', 'RegNet', 'regnet', 'MobileN', 'mobilen', 'MobileV', 'mobilev', 'EfficientN', 'efficientn', 'Levit', 'levit', 'Cvt', 'cvt', 'SwiftF', 'onformer', 'ropout', 'Transformer', 'MultiheadAttention', 'bert', 'Bert', 'oberta', 'lectra', 'MPNet', 'mpnet', 'GPT2', 'gpt2', 'T5', 't5-', 'Bart', 'bart', 'egasus', 'Marian', 'ongformer', 'LayoutLM', 'BigBird', 'XLNet', 'xlnet', 'av2', 'avLM', 'avlm')
_91 = ('no_grad', 'inference_mode', 'grad_enabled')
_92 = ('isinstance(', 'type(', '__class__')
_93 = ('BatchNorm',)
_94 = (LinePattern(word='BatchNorm', pattern='[^\\n]*(?:BatchNorm[123]d|SyncBatchNorm)[\\"\']?\\s*[,)\\]}:\\n](?:[^\\n]*\\n){0,20}?[^\\n]*\\.(?:eval\\(\\)|train\\((?:mode=)?False\\))', unless=''), LinePattern(word='BatchNorm', pattern='(?:\\w+ = |[ \\t]+[\\w.]+ = [\\[({])(?=[^\\n]*(?:BatchNorm[123]d|SyncBatchNorm)[\\"\']?\\s*[,)\\]}:\\n])', unless=''), LinePattern(word='BatchNorm', pattern='[ \\t]*(?:return\\b|def \\w+)(?=[^\\n]*(?:BatchNorm[123]d|SyncBatchNorm)[\\"\']?\\s*[,)\\]}:\\n])', unless=''))
_95 = ('requires_grad', 'from_pretrained')
_96 = ('step(', 'backward(')
_97 = ('Embedding\\w*(?:\\.from_pretrained)?\\((?:[^\\n]*\\n){0,6}?[^\\n]*max_norm', '\\"max_norm\\"', "'max_norm'", 'dict\\([^\\n]*max_norm', 'spectral_norm(?:\\(|[ ]as[ ])', 'register_buffer\\(')
_98 = ('\\.requires_grad_\\((?!(?:requires_grad=)?True\\)|\\)|[\\w.]+\\.requires_grad\\))', '\\.requires_grad\\s*=(?!=)(?!\\s*True[ \\t]*[\\n#;]| ?[\\w.]+\\.requires_grad\\n)', '\\"requires_grad\\"', "'requires_grad'", '\\.freeze\\(\\)', '\\.freeze_(?:feature|base|encoder)\\w*\\(\\)', '\\._freeze_parameters\\(\\)', 'Embedding\\.from_pretrained\\(', 'EmbeddingBag\\.from_pretrained\\(')
_99 = ('\\.backward\\(', '\\.step\\(')
_100 = ('cuda', '.to(')
_101 = ('backward(',)
_102 = ('LSTM\\(', 'GRU\\(', 'RNN\\(')
_103 = ('deepcopy',)
_104 = ('eval(', 'train(False')
_105 = ('\\.lerp_\\(', '\\.mul_\\(', '\\.copy_\\(', '\\.data\\s*=')
_106 = ('zip\\(',)
_107 = ('no_grad', 'inference_mode', 'detach()', 'set_grad_enabled', '.data')
_108 = ('parameters(', 'Parameter(')
_109 = ('no_grad\\(', 'inference_mode\\(', 'detach\\(\\)', 'set_grad_enabled\\(', '@torch\\.no_grad\\n', '\\)\\.data\\b', LinePattern(word='.data', pattern='[^#\\n]*\\bself\\.[\\w.]+\\.data\\s*[,)*@+-]', unless=''))
_110 = ('backward\\((?<!def backward\\()', 'training_step\\(')
_111 = ('requires_grad', '.freeze()')
_112 = ('\\.requires_grad\\s*=\\s*True', '\\.requires_grad_\\((?:requires_grad=)?(?:True)?\\)', 'ensor\\((?:[^()]*(?:\\([^()]*\\)[^()]*)*|[^\\n]*)requires_grad\\s*=\\s*True', 'Variable\\((?:[^()]*(?:\\([^()]*\\)[^()]*)*|[^\\n]*)requires_grad\\s*=\\s*True', '\\"requires_grad\\"', "'requires_grad'")
_113 = ('\\.backward\\(', 'manual_backward\\(', 'training_step\\(')
_114 = ('checkpoint',)
_115 = ('step(', 'torch.optim', 'optim.', 'optim,', 'ptimizer', 'Adam', 'SGD')
_116 = ('checkpoint\\((?<!\\wcheckpoint\\()', 'checkpoint_sequential\\(', 'partial\\([\\w.]*checkpoint')
_117 = ('inference_mode',)
_118 = (LinePattern(word='inference_mode', pattern='(?P<indent>[ \\t]*)(?:with [^\\n]*\\binference_mode\\([^\\n]*:(?:[^\\n]*=|[ \\t]*(?:#[^\\n]*)?\\n(?:(?P=indent)[ \\t]+[^\\s][^\\n]*\\n|[ \\t]*\\n)*?(?P=indent)[ \\t]+(?:[\\w., ()*:]+ =[^=]|return\\b|yield\\b|[\\w.]+\\.append\\(|[\\w.]+\\[[^,\\n]+\\] =))|@[\\w.]*\\binference_mode[ \\t]*[\\n#]|(?![ \\t]*with )[^\\n#\\"\'`]*\\binference_mode\\()', unless=''),)
_119 = ('backward\\(', 'def training_step\\(')
_120 = ('\\]\\.requires_grad(?:_\\(|\\s*=(?!=))', '\\.requires_grad(?:(?<=\\s\\w{1}\\.requires_grad)|(?<=\\s\\w{2}\\.requires_grad)|(?<=\\s\\w{3}\\.requires_grad)|(?<=\\s\\w{4}\\.requires_grad)|(?<=\\s\\w{5}\\.requires_grad)|(?<=\\s\\w{6}\\.requires_grad)|(?<=\\s\\w{7}\\.requires_grad)|(?<=\\s\\w{8}\\.requires_grad)|(?<=\\s\\w{9}\\.requires_grad)|(?<=\\s\\w{10}\\.requires_grad)|(?<=\\s\\w{11}\\.requires_grad)|(?<=\\s\\w{12}\\.requires_grad)|(?<=\\s\\w{13}\\.requires_grad)|(?<=\\s\\w{14}\\.requires_grad)|(?<=\\s\\w{15}\\.requires_grad)|(?<=\\s\\w{16}\\.requires_grad))(?<!\\sp\\.requires_grad)(?<!\\sparam\\.requires_grad)(?:\\s*=\\s*False|_\\((?:requires_grad=)?False)', '\\)\\.requires_grad_\\((?:requires_grad=)?False\\)(?<!eval\\(\\)\\.requires_grad_\\(False\\))', '\\"requires_grad\\"', "'requires_grad'")
_121 = ('\\]\\.requires_grad', 'backward\\(', 'training_step\\(')
_122 = ('optim\\w*\\.(?!lr_scheduler)[A-Z]\\w*\\(', 'Adam(?<!class Adam)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'SGD(?<!class SGD)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'RMSprop(?<!class RMSprop)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adagrad(?<!class Adagrad)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adadelta(?<!class Adadelta)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'LBFGS(?<!class LBFGS)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Rprop(?<!class Rprop)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Lion(?<!class Lion)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Muon(?<!class Muon)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adafactor(?<!class Adafactor)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'LAMB(?<!class LAMB)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Lamb\\((?<!class Lamb\\()', 'optim\\w*\\.(?!lr_scheduler|Optimizer\\b)[A-Z]\\w*(?=\\s*[,}\\n)]| if )', 'Adam(?<=[:=] Adam)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'SGD(?<=[:=] SGD)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'RMSprop(?<=[:=] RMSprop)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'Lion(?<=[:=] Lion)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'Muon(?<=[:=] Muon)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', LinePattern(word='optim,', pattern='[^\\n]*getattr\\([\\w.]*optim,', unless=''), LinePattern(word='Optimizer)', pattern='class (\\w+)\\([\\w.]*Optimizer\\)[\\s\\S]*?(?<!\\w)\\1\\(', unless=''), 'Optimizer\\((?![\\w.]*optimizer\\b)', '\\[-?\\d+\\]\\s*=\\s*(?:(?:torch\\.)?nn\\.)?[A-Z]\\w*\\(', '\\[\\w+\\]\\s*=\\s*(?:torch\\.)?nn\\.[A-Z]', '\\.(?<!self\\.)\\w+\\s*=\\s*(?:(?:torch\\.)?nn\\.)?[A-Z]\\w*\\(', '_modules\\[[\\"\'][^\\"\'\\n]+[\\"\']\\]\\s*=', '= nn\\.[A-Z]\\w*\\([^\\n()]*\\), *\\w', ', nn\\.[A-Z]\\w*\\([^\\n()]*\\)[ \\t]*(?:#.*)?\\n', 'reset_classifier\\((?<!def reset_classifier\\()', 'add_module\\(', 'setattr\\(')
_123 = ('requires_grad', 'self.freeze()')
_124 = ('torch.optim', 'optim.', 'optim,', 'ptimizer', 'Adam', 'SGD', 'RMSprop', 'Adagrad', 'LBFGS', 'Lion', 'Muon', 'Trainer(')
_125 = ('step(', 'minimize(', 'train', 'fit', 'configure_optimizers')
_126 = ('load_state_dict(', 'zip(', 'requires_grad', 'no_grad')
_127 = ('parameters(', 'torch.optim', 'optim.', 'optim,', 'ptimizer', 'Adam', 'SGD')
_128 = ('load_state_dict\\([\\w.]+\\.state_dict\\(\\)', LinePattern(word='parameters(),', pattern='[^\\n]*zip\\([ \\t]*[\\w.]+\\.(?:named_)?parameters\\(\\),(?:[^\\n]*\\n){1,12}?[^\\n]*(?:\\.data\\b|copy_\\(|lerp_?\\(|mul_\\(|add_\\(|sub_\\(|set_\\()', unless=''), LinePattern(word='zip(\n', pattern='[^\\n]*zip\\(\\n[ \\t]*[\\w.]+\\.(?:named_)?parameters\\(\\),(?:[^\\n]*\\n){1,12}?[^\\n]*(?:\\.data\\b|copy_\\(|lerp_?\\(|mul_\\(|add_\\(|sub_\\(|set_\\()', unless=''), '\\.requires_grad(?:_\\((?![\\w.]+\\.requires_grad\\))|\\s*=(?!=)(?! ?[\\w.]+\\.requires_grad\\n))', '\\"requires_grad\\"', "'requires_grad'", 'target\\w* = (?!target)[\\w.]+(?:\\.\\w+\\([^()\\n]*\\))*[ \\t]*(?:#.*)?\\n', 'teacher\\w* = (?!teacher)[\\w.]+(?:\\.\\w+\\([^()\\n]*\\))*[ \\t]*(?:#.*)?\\n', 'ref\\w* = (?!ref)[\\w.]+(?:\\.\\w+\\([^()\\n]*\\))*[ \\t]*(?:#.*)?\\n', 'old\\w* = (?!old)[\\w.]+(?:\\.\\w+\\([^()\\n]*\\))*[ \\t]*(?:#.*)?\\n', 'ema\\w* = (?!ema)[\\w.]+(?:\\.\\w+\\([^()\\n]*\\))*[ \\t]*(?:#.*)?\\n', 'frozen\\w* = (?!frozen)[\\w.]+(?:\\.\\w+\\([^()\\n]*\\))*[ \\t]*(?:#.*)?\\n', 'prior\\w* = (?!prior)[\\w.]+(?:\\.\\w+\\([^()\\n]*\\))*[ \\t]*(?:#.*)?\\n', 'anchor\\w* = (?!anchor)[\\w.]+(?:\\.\\w+\\([^()\\n]*\\))*[ \\t]*(?:#.*)?\\n', 'previous\\w* = (?!previous)[\\w.]+(?:\\.\\w+\\([^()\\n]*\\))*[ \\t]*(?:#.*)?\\n', 'best_?(?:model|net|network|policy|agent|actor|encoder|classifier|student|gnn|mlp)\\w* = (?!None|best)[a-z][\\w.]*(?:\\.(?:eval|cpu|to|cuda|train)\\([^()\\n]*\\))?[ \\t]*(?:#.*)?\\n', 'best\\w*\\[[\\"\'](?:model|net|network|policy|agent|actor|encoder|classifier|student|gnn|mlp)[\\"\']\\] = (?!None|best)[a-z][\\w.]*[ \\t]*(?:#.*)?\\n', 'best_?(?:model|net|network|policy|agent|actor|encoder|classifier|student|gnn|mlp)\\w*(?:, \\w+)* = [^\\n]*, (?:self\\.)?(?:model|net|network|policy|agent|actor|encoder|classifier|student|gnn|mlp)(?:,|[ \\t]*(?:#.*)?\\n)', 'best_?(?:model|net|network|policy|agent|actor|encoder|classifier|student|gnn|mlp)\\w*, [\\w, ]* = (?:self\\.)?(?:model|net|network|policy|agent|actor|encoder|classifier|student|gnn|mlp), ')
_129 = ('load_state_dict\\([\\w.]+\\.state_dict\\(\\)', LinePattern(word='parameters(),', pattern='[^\\n]*zip\\([ \\t]*[\\w.]+\\.(?:named_)?parameters\\(\\),(?:[^\\n]*\\n){1,12}?[^\\n]*(?:\\.data\\b|copy_\\(|lerp_?\\(|mul_\\(|add_\\(|sub_\\(|set_\\()', unless=''), LinePattern(word='zip(\n', pattern='[^\\n]*zip\\(\\n[ \\t]*[\\w.]+\\.(?:named_)?parameters\\(\\),(?:[^\\n]*\\n){1,12}?[^\\n]*(?:\\.data\\b|copy_\\(|lerp_?\\(|mul_\\(|add_\\(|sub_\\(|set_\\()', unless=''), 'optim\\w*\\.(?!lr_scheduler)[A-Z]\\w*\\(', 'Adam(?<!class Adam)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'SGD(?<!class SGD)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'RMSprop(?<!class RMSprop)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adagrad(?<!class Adagrad)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adadelta(?<!class Adadelta)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'LBFGS(?<!class LBFGS)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Rprop(?<!class Rprop)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Lion(?<!class Lion)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Muon(?<!class Muon)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adafactor(?<!class Adafactor)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'LAMB(?<!class LAMB)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Lamb\\((?<!class Lamb\\()', 'optim\\w*\\.(?!lr_scheduler|Optimizer\\b)[A-Z]\\w*(?=\\s*[,}\\n)]| if )', 'Adam(?<=[:=] Adam)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'SGD(?<=[:=] SGD)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'RMSprop(?<=[:=] RMSprop)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'Lion(?<=[:=] Lion)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'Muon(?<=[:=] Muon)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', LinePattern(word='optim,', pattern='[^\\n]*getattr\\([\\w.]*optim,', unless=''), LinePattern(word='Optimizer)', pattern='class (\\w+)\\([\\w.]*Optimizer\\)[\\s\\S]*?(?<!\\w)\\1\\(', unless=''), 'Optimizer\\((?![\\w.]*optimizer\\b)')
_130 = ('load_state_dict\\([\\w.]+\\.state_dict\\(\\)', LinePattern(word='parameters(),', pattern='[^\\n]*zip\\([ \\t]*[\\w.]+\\.(?:named_)?parameters\\(\\),(?:[^\\n]*\\n){1,12}?[^\\n]*(?:\\.data\\b|copy_\\(|lerp_?\\(|mul_\\(|add_\\(|sub_\\(|set_\\()', unless=''), LinePattern(word='zip(\n', pattern='[^\\n]*zip\\(\\n[ \\t]*[\\w.]+\\.(?:named_)?parameters\\(\\),(?:[^\\n]*\\n){1,12}?[^\\n]*(?:\\.data\\b|copy_\\(|lerp_?\\(|mul_\\(|add_\\(|sub_\\(|set_\\()', unless=''), '\\.step\\(')
_131 = ('Parameter(',)
_132 = ('Parameter\\([^()]*(?:\\([^()]*(?:\\([^()]*(?:\\([^()]*\\)[^()]*)*\\)[^()]*)*\\)[^()]*)*\\)\\s*\\.(?:to|cuda|half|double|bfloat16|type|type_as|requires_grad_)\\(', LinePattern(word='.to(', pattern='[ \\t]*self\\.\\w+ = \\w+\\.to\\(', unless=''), LinePattern(word='.cuda(', pattern='[ \\t]*self\\.\\w+ = \\w+\\.cuda\\(', unless=''), LinePattern(word='.half(', pattern='[ \\t]*self\\.\\w+ = \\w+\\.half\\(', unless=''), LinePattern(word='.double(', pattern='[ \\t]*self\\.\\w+ = \\w+\\.double\\(', unless=''), LinePattern(word='.bfloat16(', pattern='[ \\t]*self\\.\\w+ = \\w+\\.bfloat16\\(', unless=''))
_133 = ('parameters(', '= [nn.', '=[nn.', 'append(nn.', '= [torch.nn.', 'append(torch.nn.')
_134 = ('Module',)
_135 = ('def forward',)
_136 = ('optim\\w*\\.(?!lr_scheduler)[A-Z]\\w*\\(', 'Adam(?<!class Adam)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'SGD(?<!class SGD)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'RMSprop(?<!class RMSprop)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adagrad(?<!class Adagrad)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adadelta(?<!class Adadelta)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'LBFGS(?<!class LBFGS)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Rprop(?<!class Rprop)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Lion(?<!class Lion)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Muon(?<!class Muon)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Adafactor(?<!class Adafactor)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'LAMB(?<!class LAMB)(?!\\w*(?:Config|Layer|Model))\\w*\\(', 'Lamb\\((?<!class Lamb\\()', 'optim\\w*\\.(?!lr_scheduler|Optimizer\\b)[A-Z]\\w*(?=\\s*[,}\\n)]| if )', 'Adam(?<=[:=] Adam)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'SGD(?<=[:=] SGD)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'RMSprop(?<=[:=] RMSprop)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'Lion(?<=[:=] Lion)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', 'Muon(?<=[:=] Muon)(?!\\w*Config)\\w*(?=\\s*[,}\\n)]| if )', LinePattern(word='optim,', pattern='[^\\n]*getattr\\([\\w.]*optim,', unless=''), LinePattern(word='Optimizer)', pattern='class (\\w+)\\([\\w.]*Optimizer\\)[\\s\\S]*?(?<!\\w)\\1\\(', unless=''), 'Optimizer\\((?![\\w.]*optimizer\\b)', LinePattern(word='[nn.', pattern='[ \\t]*self\\.[a-z]\\w* ?= ?\\[(?:torch\\.)?nn\\.[A-Z]', unless='\\.add_module\\('), LinePattern(word='[torch.nn.', pattern='[ \\t]*self\\.[a-z]\\w* ?= ?\\[(?:torch\\.)?nn\\.[A-Z]', unless='\\.add_module\\('), LinePattern(word='= []\n', pattern='[^\\n]*self\\.(?P<list>[a-z]\\w*) ?= ?(?:\\[\\]|list\\(\\))\\n(?:[^\\n]*\\n){0,12}?[^\\n]*self\\.(?P=list)\\.append\\((?:torch\\.)?nn\\.[A-Z]', unless=''), LinePattern(word='=[]\n', pattern='[^\\n]*self\\.(?P<list>[a-z]\\w*) ?= ?(?:\\[\\]|list\\(\\))\\n(?:[^\\n]*\\n){0,12}?[^\\n]*self\\.(?P=list)\\.append\\((?:torch\\.)?nn\\.[A-Z]', unless=''), LinePattern(word='list()\n', pattern='[^\\n]*self\\.(?P<list>[a-z]\\w*) ?= ?(?:\\[\\]|list\\(\\))\\n(?:[^\\n]*\\n){0,12}?[^\\n]*self\\.(?P=list)\\.append\\((?:torch\\.)?nn\\.[A-Z]', unless=''))
_137 = (LinePattern(word='= [', pattern='[^\\n]*self\\.[a-z]\\w*(?:: [^=\\n]+)? ?= ?\\[', unless=''), LinePattern(word='=[', pattern='[^\\n]*self\\.[a-z]\\w*(?:: [^=\\n]+)? ?= ?\\[', unless=''), LinePattern(word='= {', pattern='[^\\n]*self\\.[a-z]\\w*(?:: [^=\\n]+)? ?= ?\\{', unless=''), LinePattern(word='={', pattern='[^\\n]*self\\.[a-z]\\w*(?:: [^=\\n]+)? ?= ?\\{', unless=''), LinePattern(word='= (', pattern='[^\\n]*self\\.[a-z]\\w*(?:: [^=\\n]+)? ?= ?\\(', unless=''), LinePattern(word='=(', pattern='[^\\n]*self\\.[a-z]\\w*(?:: [^=\\n]+)? ?= ?\\(', unless=''), LinePattern(word='list', pattern='[^\\n]*self\\.[a-z]\\w*(?:: [^=\\n]+)? ?= ?[\\w.]*list\\(', unless=''), LinePattern(word='dict', pattern='[^\\n]*self\\.[a-z]\\w*(?:: [^=\\n]+)? ?= ?[\\w.]*dict\\(', unless=''), LinePattern(word='Dict', pattern='[^\\n]*self\\.[a-z]\\w*(?:: [^=\\n]+)? ?= ?[\\w.]*Dict\\(', unless=''), LinePattern(word='tuple', pattern='[^\\n]*self\\.[a-z]\\w*(?:: [^=\\n]+)? ?= ?[\\w.]*tuple\\(', unless=''), '= \\[\\]\\n(?:[^\\n]*\\n){1,12}? +return [a-z]\\w*\\n', 'return \\[(?:\\w+\\.)*[A-Z]\\w*\\([^\\n]*\\bfor ', '= \\[\\]\\n(?:[^\\n]*\\n){0,10}?[ \\t]*(?P<filled>[a-z]\\w*)\\.append\\((?!\\()[^\\n]*\\n(?:[^\\n]*\\n){0,4}?[ \\t]*self\\.[a-z]\\w* = (?P=filled)\\n')
_138 = ('transformers',)
_139 = ('LMHead', 'MaskedLM', 'ForCausalLM', 'ForConditional', 'ForPreTraining', 'DoubleHeads')
_140 = (LinePattern(word='LMHeadModel', pattern='[ \\t]*(?:return[ \\t]|\\w[\\w.]*(?:[ \\t]*:[^=\\n]+)?[ \\t]*=)[ \\t]*[\\w.]*LMHeadModel(?<!AutoModelForCausalLM)(?:\\.from|\\()', unless=''), LinePattern(word='DoubleHeadsModel', pattern='[ \\t]*(?:return[ \\t]|\\w[\\w.]*(?:[ \\t]*:[^=\\n]+)?[ \\t]*=)[ \\t]*[\\w.]*DoubleHeadsModel(?<!AutoModelForCausalLM)(?:\\.from|\\()', unless=''), LinePattern(word='MaskedLM', pattern='[ \\t]*(?:return[ \\t]|\\w[\\w.]*(?:[ \\t]*:[^=\\n]+)?[ \\t]*=)[ \\t]*[\\w.]*MaskedLM(?<!AutoModelForCausalLM)(?:\\.from|\\()', unless=''), LinePattern(word='ForConditionalGeneration', pattern='[ \\t]*(?:return[ \\t]|\\w[\\w.]*(?:[ \\t]*:[^=\\n]+)?[ \\t]*=)[ \\t]*[\\w.]*ForConditionalGeneration(?<!AutoModelForCausalLM)(?:\\.from|\\()', unless=''), LinePattern(word='ForPreTraining', pattern='[ \\t]*(?:return[ \\t]|\\w[\\w.]*(?:[ \\t]*:[^=\\n]+)?[ \\t]*=)[ \\t]*[\\w.]*ForPreTraining(?<!AutoModelForCausalLM)(?:\\.from|\\()', unless=''), LinePattern(word='ForCausalLM', pattern='[ \\t]*(?:return[ \\t]|\\w[\\w.]*(?:[ \\t]*:[^=\\n]+)?[ \\t]*=)[ \\t]*[\\w.]*ForCausalLM(?<!AutoModelForCausalLM)(?:\\.from|\\()', unless=''), 'gpt2[\\"\'-]')
_141 = ('torchvision', 'timm', 'transformers')
_142 = ('step(', 'Trainer(')
_143 = ('torch.optim', 'optim.', 'optim,', 'ptimizer', 'Adam', 'SGD', 'RMSprop', 'Adagrad', 'LBFGS', 'Lion', 'Muon', 'train(')
_144 = ('step(', 'configure_optimizers', 'train(')
_145 = ('setattr\\(', 'add_module\\(', 'register_module\\(', '\\.(?<!self\\.)(?!requires_grad|grad|data|training)[a-z_]\\w* = (?!True|False|None)[\\w(]')
_146 = ('Embedding.from_pretrained(', 'EmbeddingBag.from_pretrained(')
_147 = ('Embedding\\.from_pretrained\\((?![^()]*\\bfreeze\\s*=)', 'EmbeddingBag\\.from_pretrained\\((?![^()]*\\bfreeze\\s*=)')
_148 = ('DistributedDataParallel', 'DDP')
_149 = ('backward',)
_150 = ('requires_grad', 'get_peft_model')
_151 = ('FullyShardedDataParallel', 'FSDP')
_152 = ('requires_grad', 'arameter', 'optim', 'Optim', 'train(')
_153 = ('\\.requires_grad(?:_\\((?![\\w.]+\\.requires_grad\\))|\\s*=(?!=)(?! ?[\\w.]+\\.requires_grad\\n))', '\\"requires_grad\\"', "'requires_grad'", 'get_peft_model\\(')
_154 = ('FullyShardedDataParallel[(,]', 'FSDP\\w*[(,]')
_155 = ('compile(',)
_156 = ('torch\\.compile\\(', 'import compile')
_157 = ('peft',)
_158 = ('from_pretrained(',)
_159 = ('train(', 'torch.optim', 'optim.', 'optim,', 'ptimizer', 'Adam', 'SGD')
_160 = ('PeftModel\\w*\\.from_pretrained\\(',)
_161 = ('get_peft_model', 'PeftModel')
_162 = ('get_peft_model\\(', 'is_trainable')
_163 = ('kbit_training\\(', '\\.requires_grad(?:_\\((?![\\w.]+\\.requires_grad\\))|\\s*=(?!=)(?! ?[\\w.]+\\.requires_grad\\n))', '\\"requires_grad\\"', "'requires_grad'")
_164 = ('get_peft_model',)
_165 = ('Config(',)
_166 = ('For(?:Sequence|Token|Image|Audio|Video)Classification', 'ForMultipleChoice', 'ForQuestionAnswering', '= (?:torch\\.)?nn\\.')
_167 = ('train(', 'backward(', 'torch.optim', 'optim.', 'optim,', 'ptimizer', 'Adam', 'SGD')
_168 = ('mark_only_lora_as_trainable\\(', 'lora[\\w.]*[\\"\']')
_169 = ('unload(',)
_170 = ('disable_adapter(', 'set_adapter(')
_171 = ('BaseFinetuning', 'BackboneFinetuning')
_172 = ('\\.freeze\\(', 'BackboneFinetuning\\(')
_173 = ('Trainer(', 'Trainer)')
_174 = ('.train(',)

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
    IndexedRule('FZ112', Level.WARNING, 'never_lands.built_under_no_grad', (_24, _25, _26, ), (_27, )),
    IndexedRule('FZ113', Level.ERROR, 'never_lands.exhausted_parameter_iterator', (_25, ), (_28, )),
    IndexedRule('FZ114', Level.ERROR, 'never_lands.selector_matches_nothing', (_0, _29, _30, ), (_11, _31, _32, )),
    IndexedRule('FZ115', Level.WARNING, 'never_lands.ambiguous_selector', (_0, _33, _34, ), (_11, _35, _36, )),
    IndexedRule('FZ116', Level.WARNING, 'never_lands.children_miss_parameters', (_0, _37, _38, ), (_39, _27, )),
    IndexedRule('FZ117', Level.ERROR, 'never_lands.bool_typed_freeze_option', (_40, _41, _42, ), (_43, )),
    IndexedRule('FZ118', Level.ERROR, 'never_lands.non_boolean_flag', (_0, ), (_44, )),
    IndexedRule('FZ201', Level.ERROR, 'undone.blanket_unfreeze', (_0, ), (_39, _45, )),
    IndexedRule('FZ202', Level.ERROR, 'undone.parameter_replaced_after_freeze', (_0, _46, ), (_39, _47, )),
    IndexedRule('FZ203', Level.ERROR, 'undone.reparametrized_after_freeze', (_0, _48, ), (_39, _23, )),
    IndexedRule('FZ204', Level.ERROR, 'undone.rebuilt_after_freeze', (_0, _49, ), (_39, _27, )),
    IndexedRule('FZ205', Level.WARNING, 'undone.one_sided_toggle', (_0, _50, ), (_39, _27, )),
    IndexedRule('FZ301', Level.WARNING, 'optimizer.optimizer_before_freeze', (_51, _52, ), (_39, _27, )),
    IndexedRule('FZ302', Level.ERROR, 'optimizer.filtered_too_early', (_51, _52, ), (_39, _27, )),
    IndexedRule('FZ303', Level.INFO, 'optimizer.unfiltered_optimizer', (_51, _52, ), (_39, _27, )),
    IndexedRule('FZ304', Level.ERROR, 'optimizer.unfrozen_not_optimized', (_53, _52, ), (_54, _27, )),
    IndexedRule('FZ305', Level.ERROR, 'optimizer.stale_gradient', (_0, _55, _52, ), (_39, _27, )),
    IndexedRule('FZ306', Level.ERROR, 'optimizer.zeroed_gradient_freeze', (_56, _49, ), (_27, _57, )),
    IndexedRule('FZ307', Level.ERROR, 'optimizer.zero_lr_revived', (_49, _58, ), (_27, _59, )),
    IndexedRule('FZ308', Level.WARNING, 'optimizer.optimizer_ignores_missing_grad', (_60, _61, _62, ), (_63, _64, )),
    IndexedRule('FZ309', Level.ERROR, 'optimizer.nothing_to_optimize', (_0, _52, ), (_39, _27, )),
    IndexedRule('FZ310', Level.ERROR, 'optimizer.duplicate_param_group', (_49, _65, ), (_27, _66, )),
    IndexedRule('FZ311', Level.WARNING, 'optimizer.frozen_role_in_optimizer', (_49, _67, ), (_27, _68, )),
    IndexedRule('FZ312', Level.WARNING, 'optimizer.trainable_not_optimized', (_69, _49, _70, ), (_27, _71, )),
    IndexedRule('FZ313', Level.WARNING, 'optimizer.clip_over_omitted', (_72, _52, ), (_27, _73, )),
    IndexedRule('FZ314', Level.ERROR, 'optimizer.misaligned_parameter_zip', (_0, _74, ), (_75, )),
    IndexedRule('FZ401', Level.WARNING, 'modes.frozen_batchnorm_drifts', (_0, _76, _77, _78, ), (_39, _79, _80, )),
    IndexedRule('FZ402', Level.WARNING, 'modes.eval_undone', (_21, _81, _82, _83, _84, ), (_85, _86, _87, )),
    IndexedRule('FZ403', Level.WARNING, 'modes.wrong_batchnorm_knob', (_88, _0, ), (_89, _11, )),
    IndexedRule('FZ404', Level.WARNING, 'modes.teacher_follows_train', (_81, _0, _90, _82, _91, ), (_39, _86, _80, )),
    IndexedRule('FZ405', Level.WARNING, 'modes.incomplete_batchnorm_check', (_92, _93, _21, ), (_94, _85, )),
    IndexedRule('FZ406', Level.WARNING, 'modes.forward_updated_buffer', (_95, _96, ), (_97, _98, _99, )),
    IndexedRule('FZ407', Level.WARNING, 'modes.cudnn_rnn_eval', (_100, _101, _21, ), (_102, _39, )),
    IndexedRule('FZ408', Level.INFO, 'modes.ema_buffers_forgotten', (_103, _25, _60, _104, ), (_105, _106, )),
    IndexedRule('FZ501', Level.ERROR, 'graph.gradient_path_cut', (_107, _26, _108, ), (_109, _110, _27, )),
    IndexedRule('FZ502', Level.ERROR, 'graph.nothing_trainable', (_111, _69, _60, _52, ), (_39, _27, )),
    IndexedRule('FZ503', Level.ERROR, 'graph.loss_made_leaf', (_0, _69, ), (_112, _113, )),
    IndexedRule('FZ504', Level.ERROR, 'graph.reentrant_checkpoint_frozen_input', (_114, _69, _115, ), (_116, _110, )),
    IndexedRule('FZ505', Level.ERROR, 'graph.inference_mode_features', (_117, _69, ), (_118, _119, )),
    IndexedRule('FZ506', Level.ERROR, 'graph.flag_on_non_leaf', (_0, ), (_120, _121, )),
    IndexedRule('FZ601', Level.WARNING, 'surgery.head_replaced_after_unfreeze', (_0, ), (_11, _122, )),
    IndexedRule('FZ602', Level.ERROR, 'surgery.new_head_frozen', (_123, _124, ), (_39, _23, )),
    IndexedRule('FZ603', Level.ERROR, 'surgery.stale_optimizer', (_25, _52, _125, ), (_27, )),
    IndexedRule('FZ604', Level.ERROR, 'surgery.aliased_copy', (_126, _127, ), (_128, _129, _130, )),
    IndexedRule('FZ605', Level.ERROR, 'surgery.parameter_moved_at_birth', (_131, ), (_132, )),
    IndexedRule('FZ606', Level.WARNING, 'surgery.modules_in_plain_container', (_133, _134, _135, ), (_136, _137, )),
    IndexedRule('FZ607', Level.WARNING, 'surgery.tied_weights', (_0, _138, _139, ), (_11, _140, )),
    IndexedRule('FZ608', Level.WARNING, 'surgery.frozen_random_weights', (_0, _141, _142, ), (_39, _23, )),
    IndexedRule('FZ609', Level.ERROR, 'surgery.head_under_wrong_name', (_141, _143, _144, ), (_23, _145, )),
    IndexedRule('FZ610', Level.WARNING, 'surgery.embedding_frozen_by_default', (_146, ), (_147, )),
    IndexedRule('FZ701', Level.ERROR, 'wrappers.freeze_after_ddp', (_0, _148, _149, ), (_11, )),
    IndexedRule('FZ702', Level.ERROR, 'wrappers.fsdp_mixed_flags', (_150, _151, _152, ), (_153, _154, )),
    IndexedRule('FZ703', Level.INFO, 'wrappers.flip_after_compile', (_0, _155, _149, ), (_11, _156, )),
    IndexedRule('FZ801', Level.ERROR, 'adapters.adapter_loaded_frozen', (_157, _158, _159, ), (_160, )),
    IndexedRule('FZ802', Level.ERROR, 'adapters.kbit_prepare_after_adapters', (_157, _161, _159, ), (_162, _163, )),
    IndexedRule('FZ803', Level.WARNING, 'adapters.new_head_not_saved', (_157, _164, _165, _159, ), (_166, )),
    IndexedRule('FZ804', Level.ERROR, 'adapters.lora_marker_one_way', (_0, _167, ), (_39, _168, )),
    IndexedRule('FZ805', Level.ERROR, 'adapters.merged_stays_frozen', (_157, _169, _161, _159, ), ()),
    IndexedRule('FZ806', Level.WARNING, 'adapters.adapter_switch_unfreezes', (_157, _170, _52, ), (_27, )),
    IndexedRule('FZ811', Level.WARNING, 'frameworks.lightning_train_bn', (_171, _49, ), (_172, )),
    IndexedRule('FZ812', Level.ERROR, 'frameworks.trainer_unfreeze', (_0, _173, _174, ), (_11, _138, )),
)
