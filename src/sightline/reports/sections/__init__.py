"""The sections of report.html: one file each, with its settings in conf/report/NAME.yaml.

A section is a function that returns a `reports.parts.Section`. Its parameters are of two kinds:

- inputs of the report, by the names and types of `reports.section_inputs.SectionInputs`;
- settings, whose values the YAML file gives and whose types are checked by their annotations.

The YAML file holds the function's path as `_target_` and the settings under the section's name:

    my_section:
      _target_: sightline.reports.sections.my_section.my_section_report
      count: 12

A section with nothing to show raises UserError: the page then names the section and the reason. A
section does not import another section; what several of them share is a module of `reports`.
"""
