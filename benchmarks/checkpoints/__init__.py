"""Public checkpoints, as others write them, read here and compared with transformers' own answer.

None can be loaded where this is developed. In their place stand folders that nothing of ours has
written: ``published`` has the configuration and processor files of each repository as
transformers' own ``save_pretrained`` writes them (see its README), and ``standin`` lets
transformers' classes make and save a model of random weights from these.
"""
